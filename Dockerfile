# The program `xsam` alone: docker run --rm -v "$PWD:/work" xsam compare
FROM rust:1.95-bookworm AS build
WORKDIR /xsam
COPY . .
RUN cargo build --release --locked --workspace

FROM debian:bookworm-slim
COPY --from=build /xsam/target/release/xsam /usr/local/bin/xsam
WORKDIR /work
ENTRYPOINT ["xsam"]
