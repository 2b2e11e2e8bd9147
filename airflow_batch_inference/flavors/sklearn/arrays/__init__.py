"""The arrays of fitted estimators that compiled code reads without looking at their bounds."""
