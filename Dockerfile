# Tollgate as one executable on a small Debian.
#
#   docker build -t tollgate:0.1.0 .
#   docker run --rm -p 4000:4000 --read-only --tmpfs /tmp -v tollgate-data:/data -e LITELLM_MASTER_KEY=sk-… tollgate:0.1.0
#
# Why so: "One executable on Debian, with curl" in docs/decisions. What it weighs and how it was tried: docs/guides/deploy-with-compose.md.

FROM node:22.22.2-bookworm-slim AS build
WORKDIR /build
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --omit=dev --no-audit --no-fund
COPY bin bin
COPY scripts scripts
COPY src src
RUN scripts/build-executable.sh /out/tollgate
RUN node scripts/write-sbom.mjs > /out/sbom.cdx.json
RUN mkdir /out/licences \
 && for each in node_modules/*/LICENSE; do cp "$each" "/out/licences/$(basename "$(dirname "$each")")"; done \
 && cp src/metering/price-table.LICENSE /out/licences/price-table

FROM debian:bookworm-20260824-slim
# curl is what the health checks of people's compose files call.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates curl \
 && rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/* \
 && groupadd --gid 10001 tollgate \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin tollgate \
 && install --directory --owner=10001 --group=10001 --mode=0750 /data
COPY --from=build /out/tollgate /usr/local/bin/tollgate
COPY --from=build /out/sbom.cdx.json /usr/share/doc/tollgate/sbom.cdx.json
COPY --from=build /out/licences /usr/share/doc/tollgate/licences
COPY LICENSE /usr/share/doc/tollgate/LICENSE
COPY config/litellm-config.yaml /app/config.yaml

ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Tollgate" \
      org.opencontainers.image.description="An LLM gateway: one OpenAI-compatible door in front of every model provider." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.base.name="docker.io/library/debian:bookworm-20260824-slim"

ENV TOLLGATE_DATA_DIR=/data
WORKDIR /app
USER 10001:10001
VOLUME /data
EXPOSE 4000
HEALTHCHECK --interval=30s --timeout=10s --retries=3 --start-period=40s CMD ["curl", "-f", "http://localhost:4000/health"]
# No shell between: the gateway is process 1 and hears the signals itself.
ENTRYPOINT ["/usr/local/bin/tollgate"]
CMD ["--config", "/app/config.yaml"]
