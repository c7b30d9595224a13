# The server in a small image that runs as nobody in particular.
FROM rust:1.95-slim-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends build-essential \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked -p indelible -p indelible-client \
    && mkdir -p /out/data \
    && cp target/release/indelible target/release/indelible-cli /out/

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /out/indelible /out/indelible-cli /usr/local/bin/
# Owned by the image's user, so that a volume mounted here can be written to.
COPY --from=build --chown=nonroot:nonroot /out/data /data
ENV INDELIBLE_DATA_DIR=/data \
    INDELIBLE_LISTEN=0.0.0.0:3000 \
    INDELIBLE_METRICS_LISTEN=0.0.0.0:2112 \
    INDELIBLE_LOG_FORMAT=json
VOLUME /data
EXPOSE 3000 2112
# Whether it lives, not whether it is ready: some restart what is unhealthy, which mends no database.
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 \
    CMD ["/usr/local/bin/indelible", "probe", "--live"]
ENTRYPOINT ["/usr/local/bin/indelible"]
CMD ["serve"]
