"""Tree ensembles scored faster than by their own library, to the same bits; verified against it, or not used."""
