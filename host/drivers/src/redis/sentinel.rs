//! Which server is the master, as the sentinels see it.

use super::{
    error::Failure,
    node::{NodeConnection, connect},
    settings::{Address, Settings},
};
use redis::{FromRedisValue, Value, cmd};

/// Asks the sentinels in turn; the first that knows a master decides.
pub(super) async fn master(settings: &Settings, name: &str) -> Result<Address, Failure> {
    let mut last = None;
    for sentinel in &settings.addresses {
        match ask(settings, sentinel, name).await {
            Ok(master) => return Ok(master),
            Err(failure) => last = Some(failure),
        }
    }
    Err(last.unwrap_or_else(|| Failure::unavailable(&settings.location(), "no sentinel is named")))
}

async fn ask(settings: &Settings, sentinel: &Address, name: &str) -> Result<Address, Failure> {
    let location = format!("Sentinel at {sentinel}");
    let login = settings.sentinel_login();
    let mut connection: NodeConnection = connect(settings, sentinel, &location, login, 0).await?;
    let mut question = cmd("SENTINEL");
    question.arg("GET-MASTER-ADDR-BY-NAME").arg(name);
    let answer = connection
        .call(&question, Some(settings.dial_timeout), &location)
        .await?;
    if answer == Value::Nil {
        let what = format!("it knows no master \"{name}\": check `sentinelMasterName`");
        return Err(Failure::unavailable(&location, what));
    }
    let (host, port): (String, u16) = FromRedisValue::from_redis_value(answer)
        .map_err(|error| Failure::unavailable(&location, error))?;
    Ok(Address { host, port })
}
