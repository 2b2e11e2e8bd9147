"""Which Python this is, and which packages it has: one line of JSON, from any version since 2.7."""
# ruff: noqa: UP031  # f-strings are unknown to the oldest of them

import json
import platform
import sys


def _packages():  # type: ignore[no-untyped-def]  # noqa: ANN202  # annotations are unknown to the oldest of them
    try:
        from importlib import metadata

        return sorted({"%s==%s" % (each.metadata["Name"], each.version) for each in metadata.distributions()})
    except Exception:  # noqa: BLE001  # before Python 3.8, or packages whose metadata are damaged
        return []


if __name__ == "__main__":
    print(  # noqa: T201  # the answer
        json.dumps(
            {
                "version": list(sys.version_info[:3]),
                "implementation": platform.python_implementation(),
                "build": sys.version,
                "machine": platform.machine(),
                "prefix": sys.prefix,
                "packages": _packages(),  # type: ignore[no-untyped-call]
            }
        )
    )
