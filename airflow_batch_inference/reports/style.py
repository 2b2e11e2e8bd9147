"""How the reports look, light and dark: style sheets, inline, with no address in them."""

PAGE = """
:root{color-scheme:light dark;--bg:#fff;--fg:#1b2530;--dim:#5b6875;--line:#e3e7eb;--ref:#c5ced6;--cur:#0b62c4;
--good:#1a7f4b;--odd:#9a6400;--bad:#c0262d;--none:#5b6875}
@media(prefers-color-scheme:dark){:root{--bg:#12171d;--fg:#e4e9ee;--dim:#93a0ac;--line:#2a323b;--ref:#46525e;
--cur:#6cb2ff;--good:#4cc38a;--odd:#e0a93b;--bad:#ff7373;--none:#93a0ac}}
*{box-sizing:border-box}body{margin:0;background:var(--bg);color:var(--fg);font:14px/1.45 system-ui,sans-serif}
main{max-width:1080px;margin:0 auto;padding:24px 20px 40px}
.good{--c:var(--good)}.odd{--c:var(--odd)}.bad{--c:var(--bad)}.none{--c:var(--none)}
header{border-left:6px solid var(--c);padding:2px 0 4px 16px;margin-bottom:20px}
h1{font-size:24px;line-height:1.2;margin:0 0 8px;color:var(--c)}header p{margin:2px 0;max-width:960px}
header p,dd,td:first-child{overflow-wrap:anywhere}header h1+p{font-size:16px}header p+p{color:var(--dim)}
.facts{display:flex;flex-wrap:wrap;align-items:center;gap:6px 28px;margin:0 0 20px;color:var(--dim)}
.facts b,dd{color:var(--fg)}h2{font-size:14px;margin:0 0 6px}dl+h2{margin-top:22px}
"""
"""What all pages share: colours, the heading, the facts under it."""

STYLE = (
    PAGE
    + """
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th{text-align:left;font-weight:600;color:var(--dim);font-size:12px;white-space:nowrap}
th,td{padding:6px 14px 6px 0;border-bottom:1px solid var(--line)}
th:nth-child(n+4),td:nth-child(n+4){text-align:right;white-space:nowrap}td:nth-child(2){min-width:206px}
td:first-child{max-width:230px;font-weight:600;unicode-bidi:isolate}
small{display:block;font-size:12px;font-weight:400;color:var(--dim)}
td svg{display:block;border-bottom:1px solid var(--dim)}
.k{padding-left:0;overflow:hidden;text-overflow:ellipsis;white-space:nowrap;width:192px;font-size:11px;line-height:1.2}
.x{display:flex;justify-content:space-between;gap:8px;width:192px;padding:1px 12px 0;font-size:11px;line-height:1.2}
.r{fill:var(--ref)}.t{fill:var(--cur);opacity:.75}.l{fill:none;stroke:var(--cur);stroke-width:1.6}
.v{display:flex;flex-wrap:wrap;align-items:baseline;gap:3px 8px;width:156px}.v b{color:var(--c)}
.v small{display:inline;color:var(--c)}
.bar{position:relative;width:150px;height:8px;border-radius:4px;background:var(--line)}
.bar i{position:absolute;left:0;top:0;height:8px;border-radius:4px;background:var(--c)}
.bar u{position:absolute;top:-3px;width:0;height:14px;border-left:2px dotted var(--dim)}
.n{display:inline-block;height:11px;border-left:2px dotted var(--dim);margin-right:6px;vertical-align:-2px}
.good .bar i{background:var(--dim)}.good .v b{color:var(--fg);font-weight:400}
.s th{padding-top:16px;font-size:13px;color:var(--fg)}
.bar:before,.bar:after{content:"";position:absolute;left:var(--p);top:-3px;width:2px;height:14px;background:var(--fg);
box-shadow:0 0 0 1px var(--bg)}.bar:after{left:var(--d)}
.key{display:flex;flex-wrap:wrap;gap:4px 22px;color:var(--dim);font-size:12px;margin:10px 0 26px}
.key svg{display:inline-block;vertical-align:-1px;margin-right:5px}
dl{display:grid;grid-template-columns:max-content 1fr;gap:3px 18px;margin:0;font-size:12px;color:var(--dim)}dd{margin:0}
h2{margin-top:22px}.h{width:auto;margin-bottom:22px;font-size:12px}.h th,.h td{border:0;padding:1px 6px 1px 0}
.h td{width:46px;min-width:0;height:20px;padding:0;border:1px solid var(--bg);background:var(--line)}
.h1{background:var(--ref)!important}.h2{background:#e0a93b!important}.h3{background:#c0262d!important}
.key i{display:inline-block;width:12px;height:12px;margin-right:5px;vertical-align:-2px}
.w{color:var(--dim);margin:0 0 6px}
.none .v b{font-weight:400;color:var(--dim)}.none .bar i{background:var(--dim)}
@media(max-width:720px){main{padding:16px 14px}thead{display:none}td{border:0;padding:2px 0}
tbody tr{display:flex;flex-wrap:wrap;align-items:center;gap:2px 12px;padding:10px 0;border-bottom:1px solid var(--line)}
td:first-child{max-width:none;flex:0 0 100%}td:nth-child(2){min-width:0}
td:nth-child(n+4){flex:1 0 28%;text-align:left;font-size:12px}
td:nth-child(n+4):before{color:var(--dim)}
td:nth-child(n+4) small{display:inline;margin-left:4px}.h tr{display:table-row}.h td:before{content:none!important}}
"""
)
"""A drift report's."""

EVALUATION_STYLE = (
    PAGE
    + """
h2{font-size:16px;margin:30px 0 10px}h3{font-size:13px;margin:0 0 8px}
table{border-collapse:collapse;font-variant-numeric:tabular-nums}
th{text-align:left;font-weight:600;color:var(--dim);font-size:12px;white-space:nowrap}
th,td{padding:6px 22px 6px 0;border-bottom:1px solid var(--line);vertical-align:baseline}
.m td:nth-child(n+2),.m th:nth-child(n+2){text-align:right;white-space:nowrap}
.m td:first-child{font-weight:600;unicode-bidi:isolate;overflow-wrap:break-word}
td b,.m .bad td:nth-child(2){color:var(--c)}
small{color:var(--dim);font-size:12px;font-weight:400}.w{color:var(--dim);margin:0 0 6px}
.g{display:flex;flex-wrap:wrap;gap:30px 24px;align-items:flex-start}figure{margin:0}figure svg{margin-top:auto}
.g+.g{margin-top:34px}.two{column-gap:48px}section{max-width:100%}section h2:first-child{margin-top:4px}
figcaption{font-weight:600;font-size:13px;margin:0 0 6px;max-width:320px}figcaption small{display:block}
figure svg{display:block;max-width:100%;height:auto}
text{fill:var(--dim);font:11px system-ui,sans-serif;font-variant-numeric:tabular-nums}
.a{stroke:var(--line);fill:none}.z{stroke:var(--dim);fill:none;stroke-dasharray:3 4}
.p{fill:none;stroke:var(--k,var(--cur));stroke-width:1.8;stroke-linejoin:round}.d{fill:var(--cur)}
.s{fill:none;stroke:var(--cur)}.b{fill:var(--cur);opacity:.8}
.c0{--k:var(--cur)}.c1{--k:#d9822b}.c2{--k:#2a9d6f}.c3{--k:#b357c9}.c4{--k:#8a8f3c}
.key{display:flex;flex-wrap:wrap;gap:2px 14px;margin:4px 0 0;font-size:12px;color:var(--dim);max-width:320px}
.key i{display:inline-block;width:12px;height:3px;margin-right:5px;vertical-align:3px;background:var(--k)}
.key span{overflow-wrap:anywhere}
.cm{overflow-x:auto}.cm td{padding:0;border:1px solid var(--bg);text-align:center;min-width:74px;height:52px;
vertical-align:middle;line-height:1.2;position:relative}
.cm td s{position:absolute;inset:0;background:var(--cur);text-decoration:none}
.cm .x s{background:var(--bad)}
.cm td span{position:relative}.cm td small{display:block;font-size:11px;color:inherit;opacity:.75}
.cm th{border:0;vertical-align:middle;padding:4px 8px;max-width:150px;
overflow:hidden;text-overflow:ellipsis;unicode-bidi:isolate}
.cm tbody th{text-align:right;color:var(--fg);font-weight:400}
.cm thead th{text-align:center;color:var(--fg);font-weight:400}
.cm thead tr:first-child th{color:var(--dim);font-weight:600}.many td{min-width:30px;height:26px;font-size:11px}
.many thead th{vertical-align:bottom}
.many thead tr+tr th+th{writing-mode:vertical-rl;transform:rotate(180deg);max-height:110px}
dl{display:grid;grid-template-columns:max-content 1fr;gap:3px 18px;margin:0;font-size:12px;color:var(--dim)}dd{margin:0}
@media(max-width:720px){main{padding:16px 14px}th,td{padding-right:12px}.t{overflow-x:auto}}
"""
)
"""An evaluation report's."""
