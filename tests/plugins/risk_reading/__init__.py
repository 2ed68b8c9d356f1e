"""An independent reading of the risk rules: slow models written from their pages, driven beside them."""
