# One image: the gateway with its drivers, no compiler, no shell in the entry point, nobody's home folder.
#
#   docker build -t sluicegate .
#   docker run --read-only --cap-drop=ALL -p 8080:8080 -v ./sluicegate.toml:/etc/sluicegate/sluicegate.toml:ro \
#       -e SLUICEGATE_TOKEN -e SLUICEGATE_KEY -e SLUICEGATE_STORE sluicegate
#
# The store is a PostgreSQL of yours (store.url); the bundled server is for demonstrations and not in here.

# Official images are built with profile-guided optimisation, which a data plane feels.
FROM python:3.13-slim AS build
WORKDIR /src

# Every wheel of the lock is fetched and held against its hashes, and from here on nothing else is: of these
# files the gateway gets those that it needs, in the versions that were tested.
COPY requirements.lock ./
RUN pip download --no-cache-dir --no-deps --only-binary=:all: --require-hashes -r requirements.lock -d /wheels

COPY pyproject.toml README.md LICENSE ./
COPY config config
COPY adapters adapters
COPY gateway gateway
RUN python -m venv --without-pip /opt/sluicegate \
    && pip --python /opt/sluicegate install --no-cache-dir --no-index --find-links=/wheels 'sluicegate[sqlite] @ file:///src'

FROM python:3.13-slim
LABEL org.opencontainers.image.title="Sluicegate" \
      org.opencontainers.image.description="A reverse proxy that moves the users of an unchanged application into a new store" \
      org.opencontainers.image.licenses="Apache-2.0"

COPY --from=build /opt/sluicegate /opt/sluicegate

# The modules are compiled already, and the root may be read-only.
ENV PATH=/opt/sluicegate/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    SLUICEGATE_CONFIG=/etc/sluicegate/sluicegate.toml

# A number, so that an orchestrator can see that it is not root; it owns nothing in here.
USER 10001:10001
WORKDIR /
EXPOSE 8080 8081
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 CMD ["sluicegate", "health"]
ENTRYPOINT ["sluicegate"]
CMD ["serve"]
