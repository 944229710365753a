//! Integration tests of Larder live in `tests/`.
