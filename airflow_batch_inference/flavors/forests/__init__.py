"""Decision trees of any library in one neutral form, as flavors give them to the kernel."""
