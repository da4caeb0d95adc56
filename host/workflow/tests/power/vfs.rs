//! A disk that forgets, when the power fails, what nobody asked it to keep.
//!
//! SQLite's own file system does the work; in between, every write is noted until its file is synced. What a power
//! failure leaves is then, for each file: everything synced, and of the writes after that any part, in any order, torn
//! at sectors, since a disk promises nothing more.
//!
#![expect(
    unsafe_code,
    reason = "the file systems of SQLite are tables of C functions"
)]

use parking_lot::Mutex;
use rusqlite::ffi::{
    SQLITE_OK, sqlite3_file, sqlite3_io_methods, sqlite3_vfs, sqlite3_vfs_find,
    sqlite3_vfs_register,
};
use std::{
    collections::HashMap,
    ffi::{CStr, OsStr, c_char, c_int, c_void},
    fs,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    ptr,
    sync::{LazyLock, OnceLock},
};

/// What a disk writes as a whole.
const SECTOR: usize = 512;

/// How a power failure treats what was not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsynced {
    /// All of it is gone.
    Gone,
    /// It is there up to some write.
    Prefix,
    /// Any sectors of it are there.
    Torn,
}

#[derive(Debug, Clone)]
enum Change {
    Write { at: usize, bytes: Vec<u8> },
    Truncate(usize),
}

#[derive(Debug, Clone, Default)]
struct Content {
    synced: Vec<u8>,
    unsynced: Vec<Change>,
}

#[derive(Debug, Default)]
struct Files {
    by_path: HashMap<PathBuf, Content>,
    /// By the address of SQLite's handle.
    open: HashMap<usize, Open>,
    /// Tables of functions that note, by those that they stand for: a file with locks has others than its log.
    noting: HashMap<usize, &'static sqlite3_io_methods>,
}

/// An open file.
#[derive(Debug)]
struct Open {
    path: PathBuf,
    /// SQLite's own functions for it.
    methods: &'static sqlite3_io_methods,
}

impl Files {
    fn content(&mut self, file: *mut sqlite3_file) -> Option<&mut Content> {
        let open = self.open.get(&(file as usize))?;
        self.by_path.get_mut(&open.path)
    }

    fn methods(&self, file: *mut sqlite3_file) -> &'static sqlite3_io_methods {
        self.open[&(file as usize)].methods
    }
}

static FILES: LazyLock<Mutex<Files>> = LazyLock::new(Mutex::default);

/// SQLite's own file system.
struct Own(*mut sqlite3_vfs);

// SAFETY: it lives as long as the process and may be called from every thread.
unsafe impl Send for Own {}
// SAFETY: as above.
unsafe impl Sync for Own {}

static OWN: OnceLock<Own> = OnceLock::new();

/// From now on SQLite, in this process, writes to such a disk.
pub fn install() {
    OWN.get_or_init(|| {
        // SAFETY: the default file system is there after initialisation, which finding it brings about; the copy that
        // is registered lives as long as the process.
        unsafe {
            let vfs = sqlite3_vfs_find(ptr::null());
            let copy = Box::leak(Box::new(*vfs));
            copy.zName = c"forgetful".as_ptr();
            copy.pNext = ptr::null_mut();
            copy.xOpen = Some(open);
            copy.xDelete = Some(delete);
            assert_eq!(sqlite3_vfs_register(copy, 1), SQLITE_OK);
            Own(vfs)
        }
    });
}

/// What a power failure at this moment leaves of `folder`, written below `into`. `random` gives a number below its
/// argument.
pub fn power_fails(
    folder: &Path,
    into: &Path,
    unsynced: Unsynced,
    mut random: impl FnMut(usize) -> usize,
) {
    let files = FILES.lock();
    let mut all: Vec<_> = files.by_path.iter().collect();
    all.sort_by_key(|(path, _)| *path);
    for (path, content) in all {
        let Ok(relative) = path.strip_prefix(folder) else {
            continue;
        };
        let mut left = content.synced.clone();
        let kept = match unsynced {
            Unsynced::Gone => 0,
            Unsynced::Prefix => random(content.unsynced.len() + 1),
            Unsynced::Torn => content.unsynced.len(),
        };
        for change in &content.unsynced[..kept] {
            match change {
                Change::Truncate(length) if unsynced == Unsynced::Prefix || random(2) == 0 => {
                    left.resize(*length, 0);
                }
                Change::Truncate(_) => {}
                Change::Write { at, bytes } if unsynced == Unsynced::Prefix => {
                    write(&mut left, *at, bytes);
                }
                Change::Write { at, bytes } => {
                    for (place, sector) in (*at..).step_by(SECTOR).zip(bytes.chunks(SECTOR)) {
                        if random(2) == 0 {
                            write(&mut left, place, sector);
                        }
                    }
                }
            }
        }
        let target = into.join(relative);
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::write(target, left).unwrap();
    }
}

fn write(content: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    if content.len() < at + bytes.len() {
        content.resize(at + bytes.len(), 0);
    }
    content[at..at + bytes.len()].copy_from_slice(bytes);
}

fn apply(content: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Truncate(length) => content.resize(*length, 0),
        Change::Write { at, bytes } => write(content, *at, bytes),
    }
}

fn own() -> *mut sqlite3_vfs {
    OWN.get().unwrap().0
}

unsafe extern "C" fn open(
    _: *mut sqlite3_vfs,
    name: *const c_char,
    file: *mut sqlite3_file,
    flags: c_int,
    out: *mut c_int,
) -> c_int {
    let own = own();
    // SAFETY: the arguments are SQLite's, handed on to its own file system, which is what it would have called.
    let opened = unsafe { (*own).xOpen.unwrap()(own, name, file, flags, out) };
    // Files without a name are temporary.
    if opened != SQLITE_OK || name.is_null() {
        return opened;
    }
    // SAFETY: a file that was opened has a table of functions, which is static; the name ends with a zero.
    unsafe {
        let mut files = FILES.lock();
        let methods = &*(*file).pMethods;
        let noting = files.noting.entry(ptr::from_ref(methods) as usize);
        (*file).pMethods = *noting.or_insert_with(|| {
            Box::leak(Box::new(sqlite3_io_methods {
                xWrite: Some(note_write),
                xTruncate: Some(note_truncate),
                xSync: Some(note_sync),
                xClose: Some(note_close),
                ..*methods
            }))
        });
        let path = PathBuf::from(OsStr::from_bytes(CStr::from_ptr(name).to_bytes()));
        // What was there before is taken for synced.
        let there = || Content {
            synced: fs::read(&path).unwrap_or_default(),
            unsynced: Vec::new(),
        };
        files.by_path.entry(path.clone()).or_insert_with(there);
        files.open.insert(file as usize, Open { path, methods });
    }
    opened
}

unsafe extern "C" fn delete(_: *mut sqlite3_vfs, name: *const c_char, sync: c_int) -> c_int {
    let own = own();
    let mut files = FILES.lock();
    // SAFETY: the arguments are SQLite's; the name ends with a zero.
    unsafe {
        let path = Path::new(OsStr::from_bytes(CStr::from_ptr(name).to_bytes()));
        files.by_path.remove(path);
        (*own).xDelete.unwrap()(own, name, sync)
    }
}

unsafe extern "C" fn note_write(
    file: *mut sqlite3_file,
    bytes: *const c_void,
    count: c_int,
    at: i64,
) -> c_int {
    let mut files = FILES.lock();
    if let Some(content) = files.content(file) {
        let length = usize::try_from(count).unwrap();
        content.unsynced.push(Change::Write {
            at: usize::try_from(at).unwrap(),
            // SAFETY: SQLite gives so many bytes.
            bytes: unsafe { std::slice::from_raw_parts(bytes.cast(), length) }.to_vec(),
        });
    }
    // SAFETY: as it came.
    unsafe { files.methods(file).xWrite.unwrap()(file, bytes, count, at) }
}

unsafe extern "C" fn note_truncate(file: *mut sqlite3_file, length: i64) -> c_int {
    let mut files = FILES.lock();
    if let Some(content) = files.content(file) {
        let length = usize::try_from(length).unwrap();
        content.unsynced.push(Change::Truncate(length));
    }
    // SAFETY: as it came.
    unsafe { files.methods(file).xTruncate.unwrap()(file, length) }
}

/// What was written before the call is synced after it; a power failure in between finds nothing synced.
unsafe extern "C" fn note_sync(file: *mut sqlite3_file, flags: c_int) -> c_int {
    let (before, methods) = {
        let mut files = FILES.lock();
        let before = files
            .content(file)
            .map_or(0, |content| content.unsynced.len());
        (before, files.methods(file))
    };
    // SAFETY: as it came.
    let synced = unsafe { methods.xSync.unwrap()(file, flags) };
    if let Some(content) = FILES.lock().content(file)
        && synced == SQLITE_OK
    {
        let changes: Vec<_> = content.unsynced.drain(..before).collect();
        for change in &changes {
            apply(&mut content.synced, change);
        }
    }
    synced
}

unsafe extern "C" fn note_close(file: *mut sqlite3_file) -> c_int {
    let open = FILES.lock().open.remove(&(file as usize));
    // SAFETY: as it came.
    unsafe { open.unwrap().methods.xClose.unwrap()(file) }
}
