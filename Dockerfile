# Two images from one file:
#   docker build --target worker .   the worker: built code, production dependencies, no checkout
#   docker build --target local .    the embedded AWS for trying things out: never for production
#
# The base is pinned to a patch release. bookworm-slim is glibc, which Temporal's native core needs.
ARG NODE_IMAGE=node:20.19.5-bookworm

FROM ${NODE_IMAGE} AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci

FROM dependencies AS build
COPY tsconfig.json tsconfig.build.json ./
COPY plan plan
COPY workflows workflows
COPY activities activities
COPY evidence evidence
COPY worker worker
COPY client client
# The preflight holds the caller's permissions against it.
COPY docs/iam-policy.json docs/iam-policy-options.json docs/
# Compiles, and bundles the workflow code into dist/worker/workflow-bundle.js, so that a worker starts without webpack.
RUN npm run build

FROM dependencies AS production-dependencies
RUN npm prune --omit=dev

# The certificate authorities of RDS. They change when AWS adds some: build anew then, or mount a newer file and set
# KEYSHIFT_RDS_CA_BUNDLE. Other partitions (GovCloud, China) have their own address; a build without a way out to the
# internet names a file of the build context: --build-arg RDS_CA_BUNDLE=global-bundle.pem
FROM ${NODE_IMAGE} AS certificates
ARG RDS_CA_BUNDLE=https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem
ADD ${RDS_CA_BUNDLE} /rds/global-bundle.pem
RUN grep -q 'BEGIN CERTIFICATE' /rds/global-bundle.pem && chmod 0444 /rds/global-bundle.pem

FROM ${NODE_IMAGE}-slim AS base
# Temporal's core reads the system's authorities; the slim image has none.
COPY --from=certificates /etc/ssl/certs /etc/ssl/certs
WORKDIR /app
# Gone in later releases of the SDK; it would come at every start, and there is nothing to do about it here.
ENV AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED=true

FROM base AS local
COPY --from=dependencies /app/node_modules node_modules
COPY package.json tsconfig.json ./
COPY local local
RUN mkdir -p /var/lib/keyshift && chown node:node /var/lib/keyshift
USER node
VOLUME /var/lib/keyshift
# State, certificates and unpacked PostgreSQL servers; a short path, since Unix sockets lie in it.
CMD ["node", "--import", "tsx", "local/aws/main.ts", \
     "--state-dir", "/var/lib/keyshift/aws", "--cache-dir", "/var/lib/keyshift/cache", "--port", "4566"]

FROM base AS worker
COPY --from=certificates /rds/global-bundle.pem /etc/keyshift/rds-global-bundle.pem
COPY --from=production-dependencies /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY package.json LICENSE ./
RUN ln -s /app/dist/client/main.js /usr/local/bin/keyshift && chmod 0755 /app/dist/client/main.js
ENV NODE_ENV=production \
    KEYSHIFT_RDS_CA_BUNDLE=/etc/keyshift/rds-global-bundle.pem \
    KEYSHIFT_HEALTH_PORT=8080
USER node
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.KEYSHIFT_HEALTH_PORT}/healthz`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
# The first process only starts the worker and passes signals on: nothing in a container may kill the first process, so the watchdog of a
# pause could not end a worker that stands still there. An init (docker run --init) is neither needed nor enough: it ends with the worker,
# and the watchdog with it. On SIGTERM the worker drains for up to 30 s, so give it that long (docker stop --time 30).
CMD ["node", "dist/worker/main.js"]
