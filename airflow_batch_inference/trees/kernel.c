/* The kernel for tree ensembles. kernel.ll is made of this file by `make kernel`; llvmlite compiles it on first use.

   Rows go in tiles of 16: of each column of a tile 16 whole numbers, whose order is that of the column's thresholds, so
   that each split asks `number > rank` of 16 rows at once. There are two ways to a tree's leaf:

   - "masks", for small trees: all splits are asked, in any order, and each that sends a row to the right strikes out
     the leaves to its left; the first leaf that remains is the row's (QuickScorer, Lucchese et al., SIGIR 2015). No
     load waits for another one, and there is no branch on a row.
   - "walk", for large trees: 16 rows go down at the same time, so that they hide each other's memory latency; leaves
     lead to themselves.

   Invariants: sums are made tree by tree, in the order and the type of the library; no fast mathematics,
   no contraction of products and sums; arguments are pointers, 64-bit integers and doubles only, so that one text
   serves every platform's calling convention; that a path ends in a leaf is proven by the packing, and not checked. */

#include <stdint.h>

typedef int32_t i32;
typedef uint32_t u32;
typedef int64_t i64;
typedef uint64_t u64;

#define LANES 16
#define INLINE static inline __attribute__((always_inline))
#define ALL _Pragma("clang loop unroll(full)")

/* 16 numbers; aligned as one number is, whatever memory is given. */
typedef i32 lanes __attribute__((vector_size(4 * LANES), aligned(4)));
typedef u32 bits __attribute__((vector_size(4 * LANES), aligned(4)));
typedef float singles __attribute__((vector_size(4 * LANES), aligned(4)));
typedef i64 wides __attribute__((vector_size(8 * LANES), aligned(8)));
typedef double doubles __attribute__((vector_size(8 * LANES), aligned(8)));

double exp(double);
double log1p(double);
float expf(float);

/* How a column of a tile is made of an input; `columns.py` has the same layout. */
typedef struct {
    i64 input;           /* which one */
    i64 kind;            /* one of the following */
    i64 first, cuts;     /* where its thresholds begin, and how many they are: ascending, different */
    double tiny;         /* numbers up to that size are tiny; negative: none is */
    i64 for_missing;     /* what a missing value becomes */
    i64 is_tiny_missing; /* whether tiny numbers are missing; they are zero otherwise */
} column;

enum { RANKED, SINGLE, WHOLE, CODE };

/* Whole numbers in the order of float32 numbers; minus zero is zero. */
INLINE lanes keys_of(singles values) {
    lanes found = (lanes)(values + 0.0f);
    return found ^ (found >> 31 & INT32_MAX);
}

/* How many thresholds are less than each number: 16 searches without a branch. */
INLINE lanes ranks_of(const double *cuts, u64 count, doubles values) {
    wides at = {0};
    doubles cut;
    u64 half;
#pragma clang loop unroll(disable)
    for (u64 left = count; left > 1; left -= half) {
        half = left / 2;
        ALL for (int lane = 0; lane < LANES; lane++) cut[lane] = cuts[at[lane] + (i64)half - 1];
        at += (i64)half & (wides)(cut < values);
    }
    ALL for (int lane = 0; lane < LANES; lane++) cut[lane] = cuts[at[lane]];
    at -= (wides)(cut < values);
    return __builtin_convertvector(at, lanes);
}

/* The category of a number, which LightGBM cuts off, and XGBoost does not expect below zero; -1: no set has it. */
INLINE i32 code_of(double value, i64 kind) {
    int is_code = kind == WHOLE ? value > -1.0 : value >= 0.0;
    return is_code && value < 2147483647.0 ? (i32)value : -1;
}

/* Fill one column of a tile. */
INLINE void fill_column(const column *of, const double *values, const double *cuts, i64 rounds, i32 *tile) {
    doubles value = *(const doubles *)values;
    if (rounds) value = __builtin_convertvector(__builtin_convertvector(value, singles), doubles);
    doubles size = __builtin_elementwise_abs(value);
    wides is_tiny = size <= of->tiny;
    wides for_tiny = (wides)((doubles){0} + (of->is_tiny_missing ? __builtin_nan("") : 0.0));
    value = (doubles)(((wides)value & ~is_tiny) | (for_tiny & is_tiny));
    if (of->kind == SINGLE) {
        *(lanes *)tile = keys_of(__builtin_convertvector(value, singles));
    } else if (of->kind == RANKED) {
        *(lanes *)tile = ranks_of(cuts + of->first, of->cuts, value);
    } else {
        double asked[LANES];
        *(doubles *)asked = value;
#pragma clang loop unroll(disable)
        for (int lane = 0; lane < LANES; lane++) tile[lane] = code_of(asked[lane], of->kind);
    }
    lanes is_missing = __builtin_convertvector(value != value, lanes);
    *(lanes *)tile = (*(lanes *)tile & ~is_missing) | ((i32)of->for_missing & is_missing);
}

/* Fill tiles with rows; the last tile is filled up with copies of the last row. The first column is less than any. */
INLINE void fill(const u64 *inputs, const column *columns, u64 width, const double *cuts, i64 rounds, u64 first,
                 u64 count, i32 *tiles) {
    for (u64 at = 0; at < count; at += LANES, tiles += (width + 1) * LANES) {
        u64 rows = count - at < LANES ? count - at : LANES;
        for (int lane = 0; lane < LANES; lane++) tiles[lane] = INT32_MIN;
        for (u64 number = 0; number < width; number++) {
            const double *values = (const double *)inputs[columns[number].input] + first + at;
            double last[LANES];
            if (rows < LANES) {
                for (u64 lane = 0; lane < LANES; lane++) last[lane] = values[lane < rows ? lane : rows - 1];
                values = last;
            }
            fill_column(columns + number, values, cuts, rounds, tiles + (number + 1) * LANES);
        }
    }
}

/* Which categories are not in a set: the number of its words, they, and a zero. A missing value may be in each set. */
INLINE lanes are_outside(const u32 *set, lanes codes) {
    bits words = {0}, places = __builtin_elementwise_min((bits)codes >> 5, (bits){0} + set[0]);
    ALL for (int lane = 0; lane < LANES; lane++) words[lane] = set[1 + places[lane]];
    return ((words >> ((bits)codes & 31) & 1) == 0) & (codes != INT32_MAX);
}

/* The same for one category. */
INLINE u64 is_outside(const u32 *set, i32 code) {
    u32 word = (u32)code / 32;
    return code != INT32_MAX && (word >= set[0] || !(set[1 + word] >> (code & 31) & 1));
}

/* The leaves of small trees. Each 32 leaves (a "chunk") have splits: (place in the tile, rank, leaves to the left), and
   behind them those by a set: (place in the tile, place of the set, leaves to the left). */
INLINE lanes leaves_by_masks(const i32 *tile, const i32 *splits, const u64 *chunks, u64 count, const u32 *sets) {
    lanes leaves = {0};
    for (u64 chunk = count; chunk-- > 0;) { /* the first one that has a leaf left has the last word */
        lanes dead = {0};
        const i32 *split = splits + 3 * chunks[2 * chunk], *by_set = splits + 3 * chunks[2 * chunk + 1],
                  *end = splits + 3 * chunks[2 * chunk + 2];
        for (; split < by_set; split += 3) dead |= (*(const lanes *)(tile + split[0]) > split[1]) & split[2];
        for (; split < end; split += 3)
            dead |= are_outside(sets + split[1], *(const lanes *)(tile + split[0])) & split[2];
        lanes first = ~dead & (dead + 1); /* its lowest bit, whose number is that of a power of two in float32 */
        lanes number = ((lanes)__builtin_convertvector(first, singles) >> 23 & 255) - 127;
        lanes is_here = first != 0;
        leaves = (leaves & ~is_here) | ((number + (i32)(32 * chunk)) & is_here);
    }
    return leaves;
}

/* The leaves of large trees. A node is one number: the left child, whose neighbour is the right one, from bit `shift`
   on; below it, from bit 32 on, the column; then the rank, the place of a set, or, of a leaf, its number. */
INLINE lanes leaves_by_walk(const i32 *tile, const u64 *nodes, u64 steps, u64 shift, u64 mask) {
    u64 node[LANES];
    lanes leaves;
    ALL for (int lane = 0; lane < LANES; lane++) node[lane] = nodes[0];
    for (u64 step = 0; step < steps; step += 2) {
        ALL for (int twice = 0; twice < 2; twice++)
            ALL for (int lane = 0; lane < LANES; lane++) {
                u64 right = tile[(node[lane] >> 32 & mask) * LANES + lane] > (i32)(u32)node[lane];
                node[lane] = nodes[(node[lane] >> shift) + right];
            }
        u64 columns = 0;
        ALL for (int lane = 0; lane < LANES; lane++) columns |= node[lane] >> 32;
        if (!(columns & mask)) break; /* all are in leaves; few go down the longest paths */
    }
    ALL for (int lane = 0; lane < LANES; lane++) leaves[lane] = (i32)(u32)node[lane];
    return leaves;
}

/* The same where splits may be by a set: those of the columns from `first_set` on. */
INLINE lanes leaves_by_sets(const i32 *tile, const u64 *nodes, u64 shift, u64 mask, const u32 *sets, u64 first_set) {
    i32 leaves[LANES];
#pragma clang loop unroll(disable)
    for (int lane = 0; lane < LANES; lane++) {
        u64 node = nodes[0], column;
        while ((column = node >> 32 & mask)) {
            i32 number = tile[column * LANES + lane];
            u64 right = column < first_set ? number > (i32)(u32)node : is_outside(sets + (u32)node, number);
            node = nodes[(node >> shift) + right];
        }
        leaves[lane] = (i32)(u32)node;
    }
    return *(lanes *)leaves;
}

/* Add a number for each row; in float32, whose sums are those of float64 rounded once. */
INLINE void add(doubles *sums, const double *values, lanes leaves, u64 stride, i64 adds_single) {
    doubles value;
    ALL for (int lane = 0; lane < LANES; lane++) value[lane] = values[(u64)(u32)leaves[lane] * stride];
    doubles sum = *sums + value;
    *sums = adds_single ? __builtin_convertvector(__builtin_convertvector(sum, singles), doubles) : sum;
}

/* What `score` is given; `compiled.py` has the same layout. */
typedef struct {
    const u64 *inputs; /* where the values of each input begin: contiguous float64, one a row */
    const column *columns;
    u64 width; /* how many columns */
    const double *cuts;
    i64 rounds, adds_single; /* whether inputs are rounded to float32, and sums */
    u64 trees;
    const i32 *splits;                /* by masks; NULL: by a walk */
    const u64 *chunks, *bounds;       /* where each chunk's splits begin, and those by a set; each tree's chunks */
    const u64 *nodes, *roots, *steps; /* by a walk: the nodes, each tree's root and its longest path */
    u64 shift, mask;
    const u32 *sets; /* NULL: no split is by a set */
    u64 first_set;   /* the columns from this one on hold categories */
    const double *values;
    const u64 *firsts; /* where each tree's leaves begin */
    const i64 *groups; /* the output that each tree adds to; -1: to all of them, from rows of values */
    u64 outputs;
    const double *base; /* what the sums begin with */
    u64 height;         /* how many tiles are filled at once */
} ensemble;

/* Add up the leaves of the rows from `start` to `stop`. `tiles` and `sums` are scratch; `out` has all rows' outputs. */
__attribute__((min_vector_width(512))) void score(const ensemble *of, u64 start, u64 stop, i32 *tiles, double *sums,
                                                  double *out) {
    u64 outputs = of->outputs, size = (of->width + 1) * LANES;
    for (u64 first = start; first < stop; first += of->height * LANES) {
        u64 count = stop - first < of->height * LANES ? stop - first : of->height * LANES;
        u64 height = (count + LANES - 1) / LANES;
        fill(of->inputs, of->columns, of->width, of->cuts, of->rounds, first, count, tiles);
        for (u64 at = 0; at < height * outputs * LANES; at++) sums[at] = of->base[at / LANES % outputs];
        for (u64 tree = 0; tree < of->trees; tree++) {
            i64 group = of->groups[tree];
            const double *values = of->values + of->firsts[tree];
            for (u64 number = 0; number < height; number++) {
                const i32 *tile = tiles + number * size;
                lanes leaves;
                if (of->splits)
                    leaves = leaves_by_masks(tile, of->splits, of->chunks + 2 * of->bounds[tree],
                                             of->bounds[tree + 1] - of->bounds[tree], of->sets);
                else if (of->sets)
                    leaves = leaves_by_sets(tile, of->nodes + of->roots[tree], of->shift, of->mask, of->sets,
                                            of->first_set);
                else
                    leaves = leaves_by_walk(tile, of->nodes + of->roots[tree], of->steps[tree], of->shift, of->mask);
                doubles *to = (doubles *)(sums + number * outputs * LANES);
                if (group >= 0)
                    add(to + group, values, leaves, 1, of->adds_single);
                else
                    for (u64 output = 0; output < outputs; output++)
                        add(to + output, values + output, leaves, outputs, of->adds_single);
            }
        }
        for (u64 row = 0; row < count; row++)
            for (u64 output = 0; output < outputs; output++)
                out[(first + row) * outputs + output] = sums[(row / LANES * outputs + output) * LANES + row % LANES];
    }
}

/* Link functions, in place, operation by operation as the libraries do; exp and the like are the C library's, as theirs
   are (NumPy's own round otherwise). Of softmax the sum is float64, and the rest in the numbers' own type. */
#define SOFTMAX(name, number, exponential) \
    void name(number *values, u64 rows, u64 outputs, double steepness) { \
        for (number *row = values; row < values + rows * outputs; row += outputs) { \
            number most = row[0]; \
            for (u64 output = 1; output < outputs; output++) most = row[output] > most ? row[output] : most; \
            double total = 0.0; \
            for (u64 output = 0; output < outputs; output++) { \
                row[output] = exponential(row[output] - most); \
                total += row[output]; \
            } \
            for (u64 output = 0; output < outputs; output++) row[output] /= (number)total; \
        } \
    }

#define EACH(name, number, result) \
    void name(number *values, u64 rows, u64 outputs, double steepness) { \
        for (u64 at = 0; at < rows * outputs; at++) { \
            number value = values[at]; \
            values[at] = result; \
        } \
    }

SOFTMAX(softmax, double, exp)
SOFTMAX(softmax_single, float, expf)
EACH(sigmoid, double, 1.0 / (1.0 + exp(-steepness * value)))                                /* LightGBM's */
EACH(sigmoid_single, float, 1.0f / (expf(-value < 88.7f ? -value : 88.7f) + 1.0f + 1e-16f)) /* XGBoost's */
EACH(exponential, double, exp(value))
EACH(exponential_single, float, expf(value))
EACH(log_exponential, double, log1p(exp(value)))
