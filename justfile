# `just check` runs all that CI runs.

check:
    .ci/run

# The tests alone.
test:
    cargo test --workspace --all-features

# Larder against what the machine can do at best.
bench:
    cargo run --release -p larder-benches --bin limits
    cargo run --release -p larder-benches --bin predict
    cargo run --release -p larder-benches --bin tensors
    cargo run --release -p larder-benches --bin maintenance
    cargo run --release -p larder-benches --features shared --bin shared
    cargo run --release -p larder-benches --features onnx --bin onnx
    cargo run --release -p larder-benches --features wasm --bin wasm

# Rewrites the snapshots of the command line (by `cargo install cargo-insta`); read the difference before
# committing.
snapshots:
    cargo insta test --accept -p larder-cli
