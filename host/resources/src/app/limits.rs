//! `spec.limits` and `spec.instances`: every limit has a default and a range.

use crate::{ByteSize, Instances, Limits, fields::Fields, reader::Reading};
use std::{ops::RangeInclusive, time::Duration};

const MILLISECOND: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(24 * 3_600);

/// A 32-bit guest cannot address more.
const MEMORY: RangeInclusive<ByteSize> = ByteSize::kib(64)..=ByteSize::mib(4 * 1024);
const CPU_TIME: RangeInclusive<Duration> = MILLISECOND..=HOUR;
const TIMEOUT: RangeInclusive<Duration> = MILLISECOND..=DAY;
const CONCURRENCY: RangeInclusive<u32> = 1..=100_000;
/// Zero is a meaning of its own: nothing waits.
const QUEUE: RangeInclusive<u32> = 0..=1_000_000;
const BODY: RangeInclusive<ByteSize> = ByteSize(1)..=ByteSize::mib(64 * 1024);
const LOG_RATE: RangeInclusive<ByteSize> = ByteSize(1)..=ByteSize::mib(64);
const TABLE_ELEMENTS: RangeInclusive<u32> = 1..=10_000_000;
const REUSE: RangeInclusive<u32> = 1..=1_000_000_000;
const CONCURRENT: RangeInclusive<u32> = 1..=10_000;

impl Limits {
    pub(super) fn read(mut fields: Fields<'_>, reading: &mut Reading<'_>) -> Self {
        let mut limits = Self::default();
        let cpu_time = fields.optional("cpuTime", reading);
        size(&mut fields, "memory", MEMORY, &mut limits.memory, reading);
        duration(
            &mut fields,
            "cpuTime",
            CPU_TIME,
            &mut limits.cpu_time,
            reading,
        );
        duration(
            &mut fields,
            "timeout",
            TIMEOUT,
            &mut limits.timeout,
            reading,
        );
        count(
            &mut fields,
            "concurrency",
            CONCURRENCY,
            &mut limits.concurrency,
            reading,
        );
        count(&mut fields, "queue", QUEUE, &mut limits.queue, reading);
        size(
            &mut fields,
            "requestBody",
            BODY,
            &mut limits.request_body,
            reading,
        );
        size(
            &mut fields,
            "responseBody",
            BODY,
            &mut limits.response_body,
            reading,
        );
        size(
            &mut fields,
            "logRate",
            LOG_RATE,
            &mut limits.log_rate,
            reading,
        );
        count(
            &mut fields,
            "tableElements",
            TABLE_ELEMENTS,
            &mut limits.table_elements,
            reading,
        );
        if let Some(field) = cpu_time.filter(|_| limits.cpu_time > limits.timeout) {
            let message = "`spec.limits.cpuTime` is longer than `timeout` and never reached";
            reading.warning(field.place(), message);
        }
        fields.finish(reading);
        limits
    }
}

impl Instances {
    pub(super) fn read(mut fields: Fields<'_>, reading: &mut Reading<'_>) -> Self {
        let mut instances = Self::default();
        count(&mut fields, "reuse", REUSE, &mut instances.reuse, reading);
        count(
            &mut fields,
            "concurrent",
            CONCURRENT,
            &mut instances.concurrent,
            reading,
        );
        if instances.concurrent > 1 {
            let message = "`spec.instances.concurrent` above 1 has no effect: an import that waits holds its whole \
                           instance, whose limits and identity are those of one call";
            reading.warning(fields.key_place("concurrent"), message);
        }
        fields.finish(reading);
        instances
    }
}

fn size(
    fields: &mut Fields<'_>,
    name: &'static str,
    range: RangeInclusive<ByteSize>,
    limit: &mut ByteSize,
    reading: &mut Reading<'_>,
) {
    let field = fields.optional(name, reading);
    if let Some(value) = field.and_then(|field| field.size(range, reading)) {
        *limit = value;
    }
}

fn duration(
    fields: &mut Fields<'_>,
    name: &'static str,
    range: RangeInclusive<Duration>,
    limit: &mut Duration,
    reading: &mut Reading<'_>,
) {
    let field = fields.optional(name, reading);
    if let Some(value) = field.and_then(|field| field.duration(range, reading)) {
        *limit = value;
    }
}

fn count(
    fields: &mut Fields<'_>,
    name: &'static str,
    range: RangeInclusive<u32>,
    limit: &mut u32,
    reading: &mut Reading<'_>,
) {
    let field = fields.optional(name, reading);
    if let Some(value) = field.and_then(|field| field.count(range, reading)) {
        *limit = value;
    }
}
