# The hub as an image: one static binary, no shell, a user of its own. Everything it writes is in /data, so the root
# file system can be read-only:
#
#   docker run --read-only -v parley-data:/data -p 8080:8080 parley
#
# web/dist is committed, so Go is all it takes to build.
FROM golang:1.26-bookworm AS build
WORKDIR /src
# Modules first: they change less often than the code, and this layer is then kept.
COPY go.mod go.sum ./
RUN go mod download
COPY . .
# The same flags as `make build`; a test runs what they make as another user in an empty folder.
RUN CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o /out/parley ./cmd/parley \
    && install -d -o 65532 -g 65532 /out/data /out/tmp

FROM scratch
# Callbacks go to TLS servers, and times of day are those of a tenant's zone.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /usr/share/zoneinfo /usr/share/zoneinfo
COPY --from=build /out/parley /parley
COPY --from=build --chown=65532:65532 /out/data /data
COPY --from=build --chown=65532:65532 /out/tmp /tmp
USER 65532:65532
ENV PARLEY_LISTEN=0.0.0.0:8080 PARLEY_DATA=/data
VOLUME ["/data", "/tmp"]
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s CMD ["/parley", "doctor", "--health"]
ENTRYPOINT ["/parley"]
CMD ["serve"]
