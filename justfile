# What a developer does daily. `just` lists it; https://just.systems

_list:
    @just --list --unsorted

# All errors and warnings, without building
check:
    cargo clippy --release --workspace --all-targets -- -D warnings

# All tests, or those whose names have a word in them
test *words:
    cargo test --release --workspace {{ words }}

# What a change must pass
ci:
    .ci/run

# The program: just run compare --set method.rho=0.3
run *words:
    cargo run --release -- {{ words }}

# This build's numbers against the reference cases
verify:
    cargo run --release -- verify

# Seconds a step of each method
bench:
    cargo bench --workspace --bench step

# The book in target/book
book:
    scripts/book

# The documentation of the crates
doc:
    RUSTDOCFLAGS='-D warnings' cargo doc --release --workspace --no-deps

# Licences, sources and known vulnerabilities of dependencies
deny:
    scripts/deny

# The kernels' tests under valgrind
memcheck *words:
    crates/xsam-kernels/memcheck {{ words }}

# The tests of single kernels under Miri
miri *words:
    crates/xsam-kernels/miri {{ words }}

# What a release needs, one after the other
release: ci
    scripts/msrv
    scripts/features
    scripts/deny
    scripts/semver
    scripts/packages
    scripts/archive
    scripts/wheel
