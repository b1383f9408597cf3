"""The AWS deployment as code. It knows the product's names and nothing else of it; the product never imports it."""
