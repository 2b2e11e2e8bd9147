"""The files of LightGBM and XGBoost, read by ourselves, wherever they lie."""
