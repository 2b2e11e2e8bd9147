"""Where artifacts and datasets lie: one way to any store, URIs, versions of files, private temporary folders."""
