//! Drivers of `secretstores.*`.

#[cfg(feature = "secretstores-local-env")]
pub(crate) mod local_env;
#[cfg(feature = "secretstores-local-file")]
pub(crate) mod local_file;
