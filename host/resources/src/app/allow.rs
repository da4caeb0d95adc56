//! `spec.allow`: what WASI may reach.

use super::{absolute, http::is_host_name};
use crate::{
    Access, Allow, FileGrant, OutboundRule, Scheme, fields::Fields, node::quote, reader::Reading,
    value::Field,
};
use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv6Addr},
    str::FromStr,
};

impl Allow {
    pub(super) fn read(mut fields: Fields<'_>, reading: &mut Reading<'_>) -> Self {
        let outbound = fields.optional("outbound", reading);
        let outbound = outbound
            .map(|field| field.items(reading))
            .unwrap_or_default();
        let outbound = outbound
            .iter()
            .filter_map(|item| read_rule(item, reading))
            .collect();
        let files = fields.optional("files", reading);
        let files = files
            .map(|field| read_files(&field, reading))
            .unwrap_or_default();
        let env = fields.optional("env", reading);
        let env = env
            .map(|field| read_env(&field, reading))
            .unwrap_or_default();
        fields.finish(reading);
        Self {
            outbound,
            files,
            env,
        }
    }
}

fn read_rule(field: &Field<'_>, reading: &mut Reading<'_>) -> Option<OutboundRule> {
    let text = field.text(reading)?;
    let rule = text.parse::<OutboundRule>();
    rule.map_err(|error| field.refuse(reading, error.to_string()))
        .ok()
}

/// Why a text is not a rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{fault}, found {}", quote(.text))]
pub struct InvalidRule {
    text: String,
    fault: &'static str,
}

impl FromStr for OutboundRule {
    type Err = InvalidRule;

    fn from_str(text: &str) -> Result<Self, InvalidRule> {
        parse_rule(text).map_err(|fault| InvalidRule {
            text: text.to_owned(),
            fault,
        })
    }
}

fn parse_rule(text: &str) -> Result<OutboundRule, &'static str> {
    const EXPECTED: &str = "expected a destination such as `https://api.stripe.com`, `http://*.example.com:8080` or `*`";
    let (scheme, rest) = match text.split_once("://") {
        Some(("http", rest)) => (Some(Scheme::Http), rest),
        Some(("https", rest)) => (Some(Scheme::Https), rest),
        Some(("*", rest)) => (None, rest),
        Some(_) => return Err("expected the scheme `http`, `https` or `*`"),
        None => (None, text),
    };
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    if authority.contains(['/', '?', '#']) {
        return Err(
            "expected scheme, host and port without a path: a rule holds for the whole host",
        );
    }
    if authority.contains('@') {
        return Err("expected scheme, host and port without a user name");
    }
    let (host, port) = split_port(authority)?;
    if !is_rule_host(&host) {
        return Err(EXPECTED);
    }
    Ok(OutboundRule { scheme, host, port })
}

/// Host in lower case, and port. An IPv6 address stands in brackets and loses them.
fn split_port(authority: &str) -> Result<(String, Option<u16>), &'static str> {
    const PORT: &str = "expected a port from 1 to 65535";
    const BRACKETS: &str = "expected an IPv6 address in brackets, such as `http://[::1]:8080`";
    let (host, port) = if let Some(rest) = authority.strip_prefix('[') {
        let (host, rest) = rest.split_once(']').ok_or(BRACKETS)?;
        host.parse::<Ipv6Addr>().map_err(|_| BRACKETS)?;
        let port = if rest.is_empty() {
            None
        } else {
            Some(rest.strip_prefix(':').ok_or(PORT)?)
        };
        (host, port)
    } else {
        match authority.split_once(':') {
            Some((_, port)) if port.contains(':') => return Err(BRACKETS),
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        }
    };
    let port = port.map(|port| {
        port.parse::<u16>()
            .ok()
            .filter(|port| *port > 0)
            .ok_or(PORT)
    });
    Ok((host.to_ascii_lowercase(), port.transpose()?))
}

fn is_rule_host(host: &str) -> bool {
    let name = host.strip_prefix("*.").unwrap_or(host);
    host == "*" || host.parse::<IpAddr>().is_ok() || is_host_name(name)
}

fn read_files(field: &Field<'_>, reading: &mut Reading<'_>) -> Vec<FileGrant> {
    let mut grants: Vec<FileGrant> = Vec::new();
    for item in field.items(reading) {
        let Some(grant) = read_file(item.clone(), reading) else {
            continue;
        };
        if grants.iter().any(|other| other.guest == grant.guest) {
            item.refuse(
                reading,
                format!("the guest's path {} is granted twice", quote(&grant.guest)),
            );
        } else {
            grants.push(grant);
        }
    }
    grants
}

fn read_file(field: Field<'_>, reading: &mut Reading<'_>) -> Option<FileGrant> {
    let mut fields = field.fields(reading)?;
    let host = fields.required("host", "a folder of the host", reading);
    let guest = fields.required("guest", "the path that the guest sees", reading);
    let access = fields.optional("access", reading);
    let host = host.and_then(|field| read_folder(&field, reading));
    let guest = guest.and_then(|field| read_guest_path(&field, reading));
    let choices = [("read", Access::Read), ("write", Access::Write)];
    let access = access.and_then(|field| field.choice(&choices, reading));
    fields.finish(reading);
    Some(FileGrant {
        host: host?,
        guest: guest?,
        access: access.unwrap_or_default(),
    })
}

fn read_folder(field: &Field<'_>, reading: &mut Reading<'_>) -> Option<std::path::PathBuf> {
    let text = field.text(reading)?;
    let path = absolute(reading, text);
    if path.is_dir() {
        return Some(path);
    }
    let shown = path.display();
    let wrong = if path.exists() {
        format!("expected a folder, `{shown}` is a file")
    } else {
        format!("no folder `{shown}`")
    };
    field.refuse(reading, wrong);
    None
}

fn read_guest_path(field: &Field<'_>, reading: &mut Reading<'_>) -> Option<String> {
    let text = field.text(reading)?;
    let climbs = text.split('/').any(|segment| matches!(segment, "." | ".."));
    if text.starts_with('/') && !climbs && !text.contains("//") {
        let trimmed = text.strip_suffix('/').filter(|rest| !rest.is_empty());
        return Some(trimmed.unwrap_or(text).to_owned());
    }
    let expected = "expected an absolute path such as `/data`, without `.` and `..`";
    field.refuse(reading, format!("{expected}, found {}", quote(text)));
    None
}

fn read_env(field: &Field<'_>, reading: &mut Reading<'_>) -> BTreeMap<String, String> {
    let mut env = BTreeMap::new();
    for (name, place, value) in field.entries(reading) {
        if name.is_empty() || name.contains(['=', '\0']) {
            let message = format!(
                "expected the name of an environment variable, found {}",
                quote(name)
            );
            reading.error(place, message);
        }
        if let Some(text) = value.any_text(reading) {
            env.insert(name.to_owned(), text.to_owned());
        }
    }
    env
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(text: &str) -> (Option<Scheme>, String, Option<u16>) {
        let rule: OutboundRule = text.parse().unwrap();
        (rule.scheme, rule.host, rule.port)
    }

    #[test]
    fn rules_name_scheme_host_and_port() {
        assert_eq!(
            rule("https://API.stripe.com/"),
            (Some(Scheme::Https), "api.stripe.com".into(), None)
        );
        assert_eq!(
            rule("http://*.example.com:8080"),
            (Some(Scheme::Http), "*.example.com".into(), Some(8080))
        );
        assert_eq!(
            rule("http://[::1]:9000"),
            (Some(Scheme::Http), "::1".into(), Some(9000))
        );
        assert_eq!(rule("*"), (None, "*".into(), None));
        assert_eq!(rule("*://127.0.0.1"), (None, "127.0.0.1".into(), None));
        assert_eq!(rule("redis:6379"), (None, "redis".into(), Some(6379)));
    }

    #[test]
    fn a_text_that_is_no_rule_says_why() {
        let error = |text: &str| text.parse::<OutboundRule>().unwrap_err().to_string();
        assert_eq!(
            error("ftp://x"),
            "expected the scheme `http`, `https` or `*`, found `ftp://x`"
        );
        assert_eq!(
            error("http://x:0"),
            "expected a port from 1 to 65535, found `http://x:0`"
        );
        for text in [
            "",
            "https://",
            "https://a b",
            "https://*x.com",
            "https://x.*",
            "::1",
            "http://[::1",
            "http://[x]",
            "http://[::1]x",
            "http://u@x",
            "http://x/y",
            "http://x:",
        ] {
            assert!(text.parse::<OutboundRule>().is_err(), "{text}");
        }
    }
}
