#!/usr/bin/env bash
# Runs tansu, a broker that speaks Kafka's protocol and shares no code with our client, in the foreground with its data
# in memory. Builds it first if it is not there, into target/tools, which takes a quarter of an hour on two cores.
#
#   scripts/kafka-broker.sh [port]                              port: 9092 by default
#   BERTH_TEST_KAFKA=127.0.0.1:9092 cargo nextest run --workspace --run-ignored only -E 'test(kafka::tests::broker)'
#
# The second line runs the driver's whole conformance suite against it, or against any other broker that takes messages of
# more than 1 MiB (Kafka: `message.max.bytes=2097152`). Topics and groups get names of their own for each test, which
# creates its topics.
set -euo pipefail

version=0.6.0
port="${1:-9092}"
cd "$(dirname "$0")/.."
tools="$PWD/target/tools"
tansu="$tools/tansu-$version/bin/tansu"

if [ ! -x "$tansu" ]; then
    # Features of storage engines that are not used stay out: they are most of the build. `memory://` comes with
    # `dynostore`.
    CARGO_TARGET_DIR="$tools/build" CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_LTO=off \
        cargo install tansu --version "$version" --locked --no-default-features --features dynostore \
        --root "$tools/tansu-$version"
fi

exec "$tansu" broker \
    --storage-engine memory://tansu/ \
    --listener-url "tcp://127.0.0.1:$port" \
    --advertised-listener-url "tcp://127.0.0.1:$port"
