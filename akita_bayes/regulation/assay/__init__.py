"""Reporter assays: tables, files, references and simulations."""
