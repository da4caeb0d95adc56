//! Keys by `SCAN`, in pages.
//!
//! A page takes whole batches of the server's cursor, in the order of its hash table, and its token is the cursor of
//! the batch that did not fit. Only a batch larger than the page is split; the token then carries hashes of the keys
//! that were shown of it, so that deletes cannot hide a key. A table that grows cuts its batches elsewhere each time:
//! what was shown of a batch is looked for in those behind it, too. No key that stays is left out. One may come twice if
//! the table shrinks in between, after most keys were deleted.
//!
//! A restarted server has another order, so tokens name its run and are refused by the next.

use super::state_error;
use crate::redis::{Master, Redis};
use berth_blocks::state::{KeyPage, StateError};
use redis::{Value, from_redis_value, pipe};
use std::collections::HashSet;

/// Looked at per round trip: enough that a large store is listed soon, too few to hold up others.
const BATCH_KEYS: u32 = 1_000;
const BATCH_KEYS_MIN: u32 = 100;
/// Round trips per page: of a large store with few keys of this prefix a page may be short, or empty with a token.
const BATCHES_PER_PAGE: usize = 1_000;
/// Characters of a server's run ID that tokens carry.
const RUN_ID: usize = 12;

/// A place in the listing, which the token holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Place {
    /// The master's ID; empty if there is one only.
    master: String,
    /// Which run of that server; empty: not known yet, or not told.
    run: String,
    cursor: u64,
    /// Asked for per batch: with another number the batch would be another.
    count: u32,
    /// Hashes of the keys that were shown of this batch and have not come again.
    shown: Vec<u64>,
}

/// Keys that begin with `prefix`; see [`super::StateStore::list_keys`].
pub(super) async fn page(
    redis: &Redis,
    prefix: &str,
    limit: u32,
    token: Option<&str>,
) -> Result<KeyPage, StateError> {
    let masters = redis.masters().await.map_err(state_error)?;
    let place = match token {
        Some(token) => Place::parse(token).ok_or_else(|| invalid("this is no token of a page"))?,
        None => Place {
            master: masters.first().map_or(String::new(), |one| one.id.clone()),
            count: limit.clamp(BATCH_KEYS_MIN, BATCH_KEYS),
            ..Place::default()
        },
    };
    let server = masters
        .iter()
        .position(|master| master.id == place.master)
        .ok_or_else(|| invalid("the server that the token names holds no keys any more"))?;
    let listing = Listing {
        redis,
        pattern: pattern(prefix),
        prefix,
        limit: usize::try_from(limit).unwrap_or(usize::MAX),
        keys: Vec::new(),
        listed: HashSet::new(),
    };
    let rest = masters.get(server..).unwrap_or_default();
    listing.run(rest, place).await
}

fn invalid(why: &str) -> StateError {
    StateError::Invalid(format!("{why}: list again from the beginning"))
}

/// One page in the making.
struct Listing<'l> {
    redis: &'l Redis,
    pattern: Vec<u8>,
    prefix: &'l str,
    limit: usize,
    keys: Vec<String>,
    /// Hashes of `keys`.
    listed: HashSet<u64>,
}

impl Listing<'_> {
    async fn run(mut self, masters: &[Master], mut place: Place) -> Result<KeyPage, StateError> {
        let mut batches = 0;
        for (number, master) in masters.iter().enumerate() {
            if number > 0 {
                place = Place {
                    master: master.id.clone(),
                    count: place.count,
                    ..Place::default()
                };
            }
            let run = self.run_of(master).await?;
            if !place.run.is_empty() && place.run != run {
                return Err(invalid(
                    "the server was restarted since the token was given",
                ));
            }
            place.run = run;
            loop {
                let (next, batch) = self.scan(master, &place).await?;
                batches += 1;
                let hashes = batch.iter().map(|key| hash(key)).collect();
                if let Some(token) = self.take(batch, &place) {
                    return Ok(self.page(Some(token)));
                }
                place.leave(&hashes, next);
                if next == 0 {
                    break;
                }
                if batches >= BATCHES_PER_PAGE {
                    return Ok(self.page(Some(place)));
                }
            }
        }
        Ok(self.page(None))
    }

    fn page(self, next: Option<Place>) -> KeyPage {
        KeyPage {
            keys: self.keys,
            next: next.map(|place| place.token()),
        }
    }

    /// Takes a batch into the page. If it does not fit: where the next page begins.
    fn take(&mut self, batch: Vec<String>, place: &Place) -> Option<Place> {
        let mut fresh: Vec<(u64, String)> = Vec::with_capacity(batch.len());
        let mut seen: HashSet<u64> = place.shown.iter().copied().collect();
        for key in batch {
            let hash = hash(&key);
            if !self.listed.contains(&hash) && seen.insert(hash) {
                fresh.push((hash, key));
            }
        }
        let room = self.limit.saturating_sub(self.keys.len());
        let next = if fresh.len() <= room {
            None
        } else if self.keys.is_empty() {
            fresh.truncate(room);
            let mut next = place.clone();
            next.shown.extend(fresh.iter().map(|(hash, _)| hash));
            Some(next)
        } else {
            return Some(place.clone());
        };
        for (hash, key) in fresh {
            self.listed.insert(hash);
            self.keys.push(key);
        }
        next
    }

    async fn scan(&self, master: &Master, place: &Place) -> Result<(u64, Vec<String>), StateError> {
        let mut scan = pipe();
        scan.cmd("SCAN")
            .arg(place.cursor)
            .arg("MATCH")
            .arg(self.pattern.as_slice())
            .arg("COUNT")
            .arg(place.count)
            // Streams and whatever else is kept in the same database.
            .arg("TYPE")
            .arg("hash");
        let answer = self.ask(master, &scan).await?;
        let (cursor, keys): (String, Vec<Vec<u8>>) =
            from_redis_value(answer).map_err(|error| StateError::Other(error.to_string()))?;
        let cursor = cursor
            .parse()
            .map_err(|_| StateError::Other(format!("SCAN answered the cursor `{cursor}`")))?;
        // Keys of berth are text; others may be anything.
        let keys = keys
            .into_iter()
            .filter_map(|key| String::from_utf8(key).ok())
            .filter(|key| key.starts_with(self.prefix));
        Ok((cursor, keys.collect()))
    }

    /// The run of a server. One that does not tell is taken to run on.
    async fn run_of(&self, master: &Master) -> Result<String, StateError> {
        let mut info = pipe();
        info.cmd("INFO").arg("server");
        let answer = match self.ask(master, &info).await {
            Ok(answer) => answer,
            Err(StateError::Denied(_) | StateError::Other(_)) => return Ok(String::new()),
            Err(error) => return Err(error),
        };
        let text: String = from_redis_value(answer).unwrap_or_default();
        let run = text.lines().find_map(|line| line.strip_prefix("run_id:"));
        let run = run.and_then(|run| run.get(..RUN_ID)).unwrap_or_default();
        Ok(run.to_owned())
    }

    async fn ask(&self, master: &Master, one: &redis::Pipeline) -> Result<Value, StateError> {
        let answers = self.redis.pipeline_on(master, one).await;
        let answer = answers
            .map_err(state_error)?
            .into_iter()
            .next()
            .unwrap_or(Value::Nil);
        self.redis.answer(answer).map_err(state_error)
    }
}

impl Place {
    /// Goes on behind a batch that was shown.
    fn leave(&mut self, batch: &HashSet<u64>, next: u64) {
        self.shown.retain(|hash| !batch.contains(hash));
        // Deleted keys never come again: no token gets longer than this for them.
        self.shown.truncate(BATCH_KEYS as usize);
        self.cursor = next;
    }

    fn token(&self) -> String {
        let shown: Vec<String> = self
            .shown
            .iter()
            .map(|hash| format!("{hash:016x}"))
            .collect();
        let (master, run) = (&self.master, &self.run);
        format!(
            "{master}.{run}.{}.{}.{}",
            self.cursor,
            self.count,
            shown.concat()
        )
    }

    fn parse(token: &str) -> Option<Self> {
        let mut parts = token.split('.');
        let mut part = || parts.next();
        let (master, run) = (part()?.to_owned(), part()?.to_owned());
        let (cursor, count) = (part()?.parse().ok()?, part()?.parse().ok()?);
        let shown = part()?.as_bytes().chunks(16).map(|digits| {
            let digits = std::str::from_utf8(digits).ok()?;
            u64::from_str_radix(digits, 16).ok()
        });
        let place = Self {
            master,
            run,
            cursor,
            count,
            shown: shown.collect::<Option<_>>()?,
        };
        let known = (BATCH_KEYS_MIN..=BATCH_KEYS).contains(&place.count);
        (parts.next().is_none() && known).then_some(place)
    }
}

/// A glob that matches exactly the keys with this prefix.
fn pattern(prefix: &str) -> Vec<u8> {
    let mut pattern = Vec::with_capacity(prefix.len() + 8);
    for byte in prefix.bytes() {
        if matches!(byte, b'*' | b'?' | b'[' | b']' | b'\\' | b'^' | b'-') {
            pattern.push(b'\\');
        }
        pattern.push(byte);
    }
    pattern.push(b'*');
    pattern
}

/// FNV-1a: the same on every host that may get the token.
fn hash(key: &str) -> u64 {
    key.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_as_it_was_written() {
        for shown in [vec![], vec![0], vec![1, u64::MAX, 42]] {
            let place = Place {
                master: "07c37df".to_owned(),
                run: "5f3a".to_owned(),
                cursor: u64::MAX,
                count: 100,
                shown,
            };
            assert_eq!(Place::parse(&place.token()), Some(place));
        }
        for wrong in [
            "",
            "....",
            "a.b.c.d.e",
            "..1.100",
            "..1.100.xyz",
            "..1.100..",
            "..1.1.",
            "..1.99999.",
        ] {
            assert_eq!(Place::parse(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_key_that_was_shown_of_a_batch_may_come_in_the_next() {
        let hashes = |keys: &[&str]| keys.iter().map(|key| hash(key)).collect::<HashSet<_>>();
        let mut place = Place {
            shown: vec![hash("a"), hash("b"), hash("moved")],
            ..Place::default()
        };
        place.leave(&hashes(&["a", "b", "c"]), 7);
        assert_eq!((place.cursor, &*place.shown), (7, &[hash("moved")][..]));
        place.leave(&hashes(&["moved"]), 3);
        assert!(place.shown.is_empty());
    }

    #[test]
    fn wildcards_of_a_prefix_stand_for_themselves() {
        assert_eq!(pattern("a*[b]\\?"), b"a\\*\\[b\\]\\\\\\?*");
    }
}
