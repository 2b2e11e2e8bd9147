"""A hundred ways to write a secret into a URI; each holds both halves of the canary, and nothing else does."""

from __future__ import annotations

HALVES = ("Kanarie7", "Vogel9xq")
S = "".join(HALVES)
A, B = HALVES

_SCHEMES = ("s3", "S3", "gs", "abfss", "hdfs", "sftp", "memory", "http", "https", "HTTPS", "weird+scheme")
_LOGINS = (
    f"user:{S}@host/in/day.parquet",
    f"user:{A}/{B}@host/in/day.parquet",
    f"user:{A}@{B}@host/in/day.parquet",
    f"user:{A}?{B}@host/day.parquet",
    f"user:{A}#{B}@host/day.parquet",
    f"user:{A};{B}@host/day.parquet",
    f"user:{A}:{B}@host/day.parquet",
    f"user:{A}\n{B}@host/day.parquet",
    f"user:{A} {B}@host/day.parquet",
    f"user:{A}'{B}@host/day.parquet",
    f'user:{A}"{B}@host/day.parquet',
    f"user:{A}\t{B}@host/day.parquet",
    f"user:{A}\\{B}@host/day.parquet",
    f"user:{A}\u2028{B}@host/day.parquet",
    f"user:{A}%2F{B}@host/day.parquet",
    f"{S}@host/in/day.parquet",
    f"{A}/{B}@host/in/day.parquet",
    f":{S}@host/in/day.parquet",
    f"{S}:@host/in/day.parquet",
    f"user%3A{S}%40host/day.parquet",
    f"user%253A{S}%2540host/day.parquet",
    f"user:{S}%40host/day.parquet",
    f"user:{S}\uff20host/day.parquet",
    f"user:{S}\ufe6bhost/day.parquet",
    f"user\uff1a{S}@host/day.parquet",
    f"user:{S}@[::1]:9000/day.parquet",
    f"user:{S}@[fe80::1%25eth0]/day.parquet",
    f"user:{S}@host",
    f"user:{S}@",
    f"user:{S}",
    f"user:{S}/day.parquet",
)
_QUERIES = (
    f"host/day.parquet?{S}",
    f"host/day.parquet?token={S}",
    f"host/day.parquet?a=1&X-Amz-Signature={S}",
    f"host/day.parquet?a=1&b=/{A}/{B}",
    f"host/day.parquet?email=a@b.org&sig={S}",
    f"host/day.parquet?token%3D{S}",
    f"host/day.parquet%3Ftoken%3D{S}",
    f"host/day.parquet%253Ftoken%253D{S}",
    f"host/day.parquet#{S}",
    f"host/day.parquet#token={S}",
    f"host/day.parquet%23token={S}",
    f"host/day.parquet;sig={S}",
    f"host/day.parquet;{S}",
    f"host/day.parquet%3Bsig={S}",
    f"host/day.parquet\uff1ftoken={S}",
    f"host/day.parquet\uff03token={S}",
    f"host/day.parquet\uff1bsig={S}",
    f"host/day.parquet\u037esig={S}",
    f"host?token={S}",
    f"host/?token={S}",
    f"host/day.parquet?token={A}\n{B}",
    f"host/day.parquet?token={A} {B}",
    f"user:x1@host/day.parquet?token={S}#{S};{S}",
)
_WHOLE = (
    f"//user:{S}@host/day.parquet",
    f"//user:{A}/{B}@host/day.parquet",
    f"//{S}@host/day.parquet",
    f"file://user:{S}@host/day.parquet",
    f"FILE://user:{S}@host/day.parquet",
    f"file:////user:{S}@host/day.parquet",
    f"local://user:{S}@host/day.parquet",
    f"file://host/day.parquet?token={S}",
    f"simplecache::https://user:{S}@host/day.parquet",
    f"filecache::s3://user:{A}/{B}@host/day.parquet",
    f"zip://a.csv::https://host/x.zip?sig={S}",
    f"blockcache::simplecache::https://host/x.parquet#{S}",
    f"s3://user:{S}@host::file:///data/x",
    f"s3\uff1a//user:{S}@host/day.parquet",
    f"s3:\uff0f\uff0fuser:{S}@host/day.parquet",
    f"s3:\u2044\u2044user:{S}@host/day.parquet",
    f"\uff53\uff13://user:{S}@host/day.parquet",
    f"https://host:8443/day.parquet?sig={S}",
    f"s3%3a//user%3a{S}%40host/day.parquet",
    f"s3%3A%2F%2Fuser:{S}@host/day.parquet",
)
SCHEMELESS = (
    f"user:{S}@host/day.parquet",
    f"user:{A}/{B}@host/day.parquet",
    f"{S}@host/day.parquet",
    f"host/day.parquet?token={S}",
    f"host/day.parquet#token={S}",
    f"host/day.parquet;sig={S}",
    f"s3:user:{S}@host/day.parquet",
    f"s3:/user:{S}@host/day.parquet",
    f"https:/host/day.parquet?sig={S}",
    f"s3:\n//user:{S}@host/day.parquet",
)
"""What only an argument that takes a URI can know to be one."""

_RESTS = (*_LOGINS, *_QUERIES)
WITH_SCHEME = (
    *(f"{_SCHEMES[place % len(_SCHEMES)]}://{rest}" for place, rest in enumerate(_RESTS)),
    *(
        f"{scheme}://{rest}"
        for scheme in ("s3", "https", "memory", "abfss")
        for rest in (*_RESTS[:3], *_QUERIES[:2], _QUERIES[9])
    ),
    *(f" {scheme}://{_RESTS[0]}" for scheme in ("s3", "\ts3")),
    *_WHOLE,
)
FORMS = tuple(dict.fromkeys((*WITH_SCHEME, *SCHEMELESS)))


def leaks(text: str) -> bool:
    """Say whether a text holds anything of the canary, however it is written."""
    folded = text.casefold()
    return any(half.casefold() in folded for half in HALVES)
