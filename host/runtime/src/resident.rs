//! Keeps the pages that a fresh instance writes in memory, from one call to the next.
//!
//! wasmtime resets an instance's memory by copying the pages that were written, which spares the next call their page
//! faults. But it does so for 32 ranges of pages at most, and gives the memory behind them back to the kernel
//! (`MAX_REGIONS` in its `pagemap.rs`, 48.0). The engine of JavaScript writes to twice as many, so that each of its
//! calls paid for a hundred page faults. The remedy: the smallest gaps between such ranges are made resident, too, until
//! the ranges are few. That happens once for each memory; a copied page costs a fraction of a faulted one.
//!
//! Linux alone tells about pages (`proc_pid_maps(5)`, `proc_pid_pagemap(5)`); elsewhere nothing is done.
#![cfg_attr(
    target_os = "linux",
    expect(
        unsafe_code,
        reason = "making a page resident, which changes nothing that can be read, takes its address"
    )
)]

use std::{
    io,
    ops::Range,
    sync::atomic::{AtomicU64, Ordering},
};

/// Bytes of a memory that wasmtime is told to keep: more would be resident in memories that wait, and go at their next reset.
pub(crate) const KEPT_MAX: usize = 2 << 20;
/// As many ranges as a memory is left with: fewer than wasmtime's 32, as calls differ.
const RANGES_MAX: usize = 28;
/// Pages of one memory that are looked at: 64 MiB.
const PAGES_MAX: usize = 16 << 10;
/// Bytes of a page, as `proc_pid_pagemap(5)` counts them; with larger ones the pages below would be others.
const PAGE: usize = 4096;
/// Calls between two looks, once there have been many: memories may have been added.
const CALLS: u64 = 4096;

/// The memories of one guest's instances.
pub(crate) struct Resident {
    /// Part of the name of the file that their first content is mapped from.
    image: String,
    calls: AtomicU64,
}

impl Resident {
    /// Of the guest whose compiled form has `image` in its name.
    pub(crate) fn new(image: String) -> Self {
        let calls = AtomicU64::new(0);
        Self { image, calls }
    }

    /// To be called at the end of each call to a fresh instance, while its memory is as the call left it.
    pub(crate) fn after_call(&self) {
        let calls = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        // Not at the first, whose caller has waited for the host to start.
        if calls > 1
            && (calls.is_power_of_two() || calls.is_multiple_of(CALLS))
            && let Err(error) = self.join_ranges()
        {
            tracing::debug!(%error, "pages of guests are not kept in memory");
        }
    }

    /// Makes what the fullest of the memories has written resident in those whose ranges are too many.
    fn join_ranges(&self) -> io::Result<()> {
        let maps = std::fs::read_to_string("/proc/self/maps")?;
        let mut fullest = Vec::new();
        let mut torn = Vec::new();
        for memory in memories(&maps, &self.image) {
            let written = pages::written(&memory)?;
            if written.len() > RANGES_MAX {
                torn.push(memory);
            }
            if pages_of(&written) > pages_of(&fullest) {
                fullest = written;
            }
        }
        // One that is not in use has kept the first of its ranges, and does not tell which others its calls need.
        let wanted = kept(joined(fullest, RANGES_MAX));
        for memory in &torn {
            for range in &wanted {
                pages::make_resident(memory, range);
            }
        }
        Ok(())
    }
}

/// Where the memories are that `image` is mapped to, in bytes: its own mapping, and those without a name that adjoin it.
fn memories(maps: &str, image: &str) -> Vec<Range<usize>> {
    let mappings: Vec<_> = maps.lines().filter_map(mapping).collect();
    let mut memories = Vec::new();
    for (at, (range, name)) in mappings.iter().enumerate() {
        if !name.contains(image) {
            continue;
        }
        let mut memory = range.clone();
        if let Some((before, "")) = at.checked_sub(1).map(|before| &mappings[before])
            && before.end == memory.start
        {
            memory.start = before.start;
        }
        if let Some((after, "")) = mappings.get(at + 1)
            && after.start == memory.end
        {
            memory.end = after.end;
        }
        memory.end = memory.end.min(memory.start + PAGES_MAX * PAGE);
        memories.push(memory);
    }
    memories
}

/// A mapping that is private and can be written to, and its name.
fn mapping(line: &str) -> Option<(Range<usize>, &str)> {
    let mut fields = line.splitn(6, ' ');
    let (range, permissions) = (fields.next()?, fields.next()?);
    if permissions != "rw-p" {
        return None;
    }
    let (start, end) = range.split_once('-')?;
    let address = |text| usize::from_str_radix(text, 16).ok();
    // Offset, device and inode come before the name.
    let name = fields.nth(3).unwrap_or_default().trim();
    Some((address(start)?..address(end)?, name))
}

fn pages_of(ranges: &[Range<usize>]) -> usize {
    ranges.iter().map(ExactSizeIterator::len).sum()
}

/// At most `most` ranges with all that these have: the smallest gaps are closed.
fn joined(ranges: Vec<Range<usize>>, most: usize) -> Vec<Range<usize>> {
    let mut gaps: Vec<_> = ranges
        .windows(2)
        .map(|pair| pair[1].start - pair[0].end)
        .collect();
    gaps.sort_unstable();
    let closed = ranges.len().saturating_sub(most);
    let Some(largest) = closed.checked_sub(1).map(|last| gaps[last]) else {
        return ranges;
    };
    let mut joined: Vec<Range<usize>> = Vec::with_capacity(most);
    for range in ranges {
        match joined.last_mut() {
            Some(last) if range.start - last.end <= largest => last.end = range.end,
            _ => joined.push(range),
        }
    }
    joined
}

/// As many of these, from the first, as wasmtime keeps: it goes by their addresses.
fn kept(mut ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
    while pages_of(&ranges) > KEPT_MAX / PAGE {
        ranges.pop();
    }
    ranges
}

#[cfg(target_os = "linux")]
mod pages {
    //! What the kernel knows of pages, counted from the start of a memory.

    use super::PAGE;
    use rustix::mm::{Advice, madvise};
    use std::{fs::File, io, ops::Range, os::unix::fs::FileExt};

    const PRESENT: u64 = 1 << 63;
    /// Not a copy of this process's own, as a written page of a private mapping is.
    const SHARED: u64 = 1 << 61;

    /// The pages of a memory, in bytes, that have been written to.
    pub(super) fn written(memory: &Range<usize>) -> io::Result<Vec<Range<usize>>> {
        let mut entries = vec![0; memory.len() / PAGE * size_of::<u64>()];
        let at = memory.start / PAGE * size_of::<u64>();
        File::open("/proc/self/pagemap")?.read_exact_at(&mut entries, at as u64)?;
        let mut ranges: Vec<Range<usize>> = Vec::new();
        for (page, entry) in entries.as_chunks().0.iter().enumerate() {
            let entry = u64::from_ne_bytes(*entry);
            if entry & PRESENT == 0 || entry & SHARED != 0 {
                continue;
            }
            match ranges.last_mut() {
                Some(last) if last.end == page => last.end += 1,
                _ => ranges.push(page..page + 1),
            }
        }
        Ok(ranges)
    }

    /// Gives these pages of a memory, as far as it reaches, room of their own.
    pub(super) fn make_resident(memory: &Range<usize>, range: &Range<usize>) {
        let end = (memory.start + range.end * PAGE).min(memory.end);
        let start = memory.start + range.start * PAGE;
        let Some(length) = end.checked_sub(start) else {
            return;
        };
        let start = std::ptr::without_provenance_mut(start);
        // SAFETY: `MADV_POPULATE_WRITE` reads and writes no content, so it disturbs neither a guest that runs in this
        // memory nor whatever may have been mapped here since; what is no longer mapped is refused.
        let _ = unsafe { madvise(start, length, Advice::LinuxPopulateWrite) };
    }
}

#[cfg(not(target_os = "linux"))]
mod pages {
    use std::{io, ops::Range};

    pub(super) fn written(_: &Range<usize>) -> io::Result<Vec<Range<usize>>> {
        Ok(Vec::new())
    }

    pub(super) fn make_resident(_: &Range<usize>, _: &Range<usize>) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_memory_is_its_image_and_what_adjoins_it() {
        let maps = "\
            10000-20000 r--p 00000000 fe:00 7 /cache/ab-1.cwasm\n\
            30000-40000 ---p 00000000 00:00 0 \n\
            40000-50000 rw-p 00000000 00:00 0 \n\
            50000-60000 rw-p 00007000 fe:00 7      /cache/ab-1.cwasm\n\
            60000-70000 rw-p 00000000 00:00 0 \n\
            80000-90000 rw-p 00000000 00:00 0 [heap]\n\
            90000-a0000 rw-p 00007000 fe:00 7 /cache/ab-1.cwasm (deleted)\n\
            a0000-b0000 rw-p 00007000 fe:00 8 /cache/cd-1.cwasm\n";
        assert_eq!(memories(maps, "ab"), [0x40000..0x70000, 0x90000..0xa0000]);
    }

    #[test]
    fn the_smallest_gaps_are_closed() {
        let ranges = vec![0..1, 2..3, 10..11, 13..14, 30..31];
        assert_eq!(joined(ranges.clone(), 3), [0..3, 10..14, 30..31]);
        assert_eq!(joined(ranges.clone(), 2), [0..14, 30..31]);
        assert_eq!(joined(ranges.clone(), 5), ranges);
        assert!(joined(Vec::new(), 5).is_empty());
    }

    #[test]
    fn no_more_is_made_resident_than_is_kept() {
        let fits = vec![0..100, 200..600, 700..712];
        assert_eq!(kept(fits.clone()), fits);
        assert_eq!(kept(vec![0..100, 200..600, 700..713]), [0..100, 200..600]);
        // A guest that writes to every other page of its memory.
        let torn = (0..PAGES_MAX).step_by(2).map(|page| page..page + 1);
        let wanted = kept(joined(torn.collect(), RANGES_MAX));
        assert!(pages_of(&wanted) <= KEPT_MAX / PAGE);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn scattered_pages_become_few_ranges_and_keep_their_content() -> io::Result<()> {
        use rustix::mm::{MapFlags, ProtFlags, mmap, mmap_anonymous};
        use std::io::Write;

        let content: Vec<u8> = (0..256 * PAGE).map(|at| (at / PAGE) as u8).collect();
        let mut file = tempfile::Builder::new()
            .prefix("image-of-a-test-")
            .tempfile()?;
        file.write_all(&content)?;
        let (all, private) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE);
        let length = content.len();
        // As in wasmtime's pool, nothing adjoins it that can be written to.
        let (room, guarded) = (length + 2 * PAGE, ProtFlags::empty());
        // SAFETY: a mapping of its own, in the midst of another one, which stay until the process ends.
        let memory = unsafe {
            let room = mmap_anonymous(std::ptr::null_mut(), room, guarded, private)?;
            let (inside, fixed) = (room.byte_add(PAGE), private | MapFlags::FIXED);
            let start = mmap(inside, length, all, fixed, &file, 0)?;
            std::slice::from_raw_parts_mut(start.cast::<u8>(), length)
        };
        for page in (0..256).step_by(4) {
            memory[page * PAGE] = 200;
        }
        let start = memory.as_ptr().addr();
        let mapped = start..start + length;
        assert_eq!(pages::written(&mapped)?.len(), 64);

        Resident::new("image-of-a-test-".to_owned()).join_ranges()?;
        let joined = pages::written(&mapped)?;
        assert!((1..=RANGES_MAX).contains(&joined.len()), "{joined:?}");
        let expected = |at: usize| match at % (4 * PAGE) {
            0 => 200,
            _ => content[at],
        };
        assert!((0..length).all(|at| memory[at] == expected(at)));
        Ok(())
    }
}
