//! `berth invoke`

use super::payload;
use crate::{
    args::{DEFAULT_DATA_DIR, DataArgs},
    client::{self, Client},
    failure::Failure,
    ui,
};
use anyhow::Context;
use reqwest::{Method, header};
use std::path::PathBuf;

/// Flags of `berth invoke`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// App to call, `app` or `app.namespace`
    #[arg(short, long, value_name = "APP")]
    app_id: String,
    /// Method: a path of the app, with its query
    #[arg(short, long, value_name = "METHOD")]
    method: String,
    /// HTTP verb
    #[arg(short, long, default_value = "POST", value_parser = verb)]
    verb: Method,
    #[command(flatten)]
    data: DataArgs,
    /// Data directory of the host
    #[arg(long, value_name = "DIR", default_value = DEFAULT_DATA_DIR, env = "BERTH_DATA_DIR", hide_env_values = true)]
    data_dir: PathBuf,
}

/// The app's answer goes to stdout as it comes; a status that is no success is an error after it.
pub async fn execute(args: &Args) -> Result<(), Failure> {
    let client = Client::of(&args.data_dir)?;
    let path = format!(
        "/invoke/{}/{}",
        args.app_id,
        args.method.trim_start_matches('/')
    );
    let mut request = client.request_path(args.verb.clone(), &path)?;
    if let Some(payload) = payload::read(&args.data)? {
        request = request
            .header(header::CONTENT_TYPE, payload.content_type)
            .body(payload.data);
    }
    let mut response = client.send(request).await?;
    if client::is_refusal(&response) {
        return Err(client::refusal(response).await);
    }
    while let Some(chunk) = response.chunk().await.context("reading the answer")? {
        ui::out_bytes(&chunk);
    }
    ui::out("");
    if response.status().is_success() {
        return Ok(());
    }
    let (app, method, status) = (&args.app_id, &args.method, response.status());
    Err(Failure::text(format_args!(
        "`{method}` of app `{app}` answered {status}"
    )))
}

fn verb(text: &str) -> Result<Method, String> {
    let upper = text.to_ascii_uppercase();
    Method::from_bytes(upper.as_bytes()).map_err(|_| "expected a verb such as GET".to_owned())
}
