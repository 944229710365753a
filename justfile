# Everything that CI runs.
check:
    .ci/run

# All tests, those against real servers too. Installs what is missing.
test *ARGS:
    scripts/test {{ARGS}}

# Lines, import circles and names of every crate.
house:
    scripts/house

# Measures Larder against what the machine can do at best.
bench:
    cargo run --release -p larder-benches --bin limits
    cargo run --release -p larder-benches --bin predict
    cargo run --release -p larder-benches --bin tensors
    cargo run --release -p larder-benches --bin maintenance
    cargo run --release -p larder-benches --bin inline
    cargo run --release -p larder-benches --features shared --bin shared
    cargo run --release -p larder-benches --features onnx --bin onnx
    cargo run --release -p larder-benches --features wasm --bin wasm

# Builds the guide in docs/ and fails on warnings.
book:
    .ci/book

# Rewrites the snapshots of the command line (needs `cargo install cargo-insta`). Read the difference before you commit.
snapshots:
    cargo insta test --accept -p larder-cli
