//! Connection strings, in both forms that libpq and Dapr's client take:
//!
//! ```text
//! host=db.example.com port=5432 user=app password='it''s' dbname=shop sslmode=verify-full
//! postgres://app:secret@db.example.com:5432/shop?sslmode=verify-full
//! ```
//!
//! Errors tell the place and never the text, which may be part of a password.

/// The parameters by name, in the order given.
pub(super) type Entries = Vec<(String, String)>;

/// Reads a connection string.
///
/// # Errors
/// Where it is wrong, and what was expected.
pub(super) fn parse(text: &str) -> Result<Entries, String> {
    let text = text.trim();
    let url = ["postgres://", "postgresql://"]
        .iter()
        .find_map(|scheme| text.strip_prefix(scheme));
    match url {
        Some(rest) => parse_url(rest),
        None => parse_words(text),
    }
}

/// `name=value`, with spaces between; a value may stand in single quotes, and a backslash takes the next character as it
/// is.
fn parse_words(text: &str) -> Result<Entries, String> {
    let mut entries = Vec::new();
    let mut rest = text.chars().enumerate().peekable();
    loop {
        while rest.next_if(|(_, c)| c.is_whitespace()).is_some() {}
        let Some(&(start, _)) = rest.peek() else {
            return Ok(entries);
        };
        let mut name = String::new();
        while let Some((_, c)) = rest.next_if(|(_, c)| *c != '=' && !c.is_whitespace()) {
            name.push(c);
        }
        while rest.next_if(|(_, c)| c.is_whitespace()).is_some() {}
        if name.is_empty() || rest.next_if(|(_, c)| *c == '=').is_none() {
            return Err(format!(
                "character {}: expected `name=value`, or a URL such as `postgres://user@host/database`",
                start + 1
            ));
        }
        while rest.next_if(|(_, c)| c.is_whitespace()).is_some() {}
        let quoted = rest.next_if(|(_, c)| *c == '\'').is_some();
        let mut value = String::new();
        loop {
            match rest.next_if(|(_, c)| quoted || !c.is_whitespace()) {
                None if quoted => {
                    return Err(format!(
                        "character {}: the quote of this entry is never closed",
                        start + 1
                    ));
                }
                None => break,
                Some((_, '\'')) if quoted => break,
                Some((_, '\\')) => value.extend(rest.next().map(|(_, c)| c)),
                Some((_, c)) => value.push(c),
            }
        }
        entries.push((name, value));
    }
}

/// What follows the scheme: `user:password@host:port,host:port/database?name=value&name=value`.
fn parse_url(text: &str) -> Result<Entries, String> {
    let mut entries = Vec::new();
    let mut add = |name: &str, value: &str| -> Result<(), String> {
        if !value.is_empty() {
            entries.push((name.to_owned(), decoded(name, value)?));
        }
        Ok(())
    };
    let (text, parameters) = text.split_once('?').unwrap_or((text, ""));
    let (authority, database) = text.split_once('/').unwrap_or((text, ""));
    let (login, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    add("user", user)?;
    add("password", password)?;
    let (hosts, ports) = split_hosts(hosts)?;
    add("host", &hosts)?;
    add("port", &ports)?;
    add("dbname", database)?;
    for (number, parameter) in parameters.split('&').enumerate() {
        match parameter.split_once('=') {
            Some((name, value)) => add(name, value)?,
            None if parameter.is_empty() => {}
            None => {
                return Err(format!(
                    "parameter {} after `?`: expected `name=value`",
                    number + 1
                ));
            }
        }
    }
    Ok(entries)
}

/// Hosts and ports, each with commas.
fn split_hosts(text: &str) -> Result<(String, String), String> {
    let mut hosts = Vec::new();
    let mut ports = Vec::new();
    for host in text.split(',') {
        let (name, port) = match host.strip_prefix('[') {
            Some(address) => {
                let (address, port) = address
                    .split_once(']')
                    .ok_or("the bracket of an IPv6 address is never closed")?;
                (address, port.trim_start_matches(':'))
            }
            None => host.split_once(':').unwrap_or((host, "")),
        };
        hosts.push(name);
        ports.push(port);
    }
    if ports.iter().all(|port| port.is_empty()) {
        ports.clear();
    }
    Ok((hosts.join(","), ports.join(",")))
}

/// Without `%20` and the like.
fn decoded(name: &str, text: &str) -> Result<String, String> {
    let wrong = || format!("`{name}`: a `%` needs two hexadecimal digits after it (`%25` is `%`)");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || {
            let digit = char::from(rest.next()?).to_digit(16)?;
            u8::try_from(digit).ok()
        };
        let (high, low) = (digit().ok_or_else(wrong)?, digit().ok_or_else(wrong)?);
        bytes.push(high << 4 | low);
    }
    String::from_utf8(bytes).map_err(|_| format!("`{name}` is not text"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        match parse(text) {
            Ok(entries) => {
                let entries = entries
                    .iter()
                    .map(|(name, value)| format!("{name}:{value}"));
                entries.collect::<Vec<_>>().join(" ")
            }
            Err(error) => error,
        }
    }

    #[test]
    fn words_may_be_quoted_and_escaped() {
        assert_eq!(
            read("host=localhost port = 5432  user=a password='it\\'s a \\\\' dbname=b\\ c"),
            "host:localhost port:5432 user:a password:it's a \\ dbname:b c"
        );
        assert_eq!(read("host= user=''"), "host:user=''");
        assert_eq!(read(""), "");
    }

    #[test]
    fn a_url_names_login_hosts_database_and_parameters() {
        assert_eq!(
            read("postgres://me:s%40crt%25@db:6432/shop?sslmode=require&pool_max_conns=7"),
            "user:me password:s@crt% host:db port:6432 dbname:shop sslmode:require pool_max_conns:7"
        );
        assert_eq!(
            read("postgresql://a,b:1,[::1]:2/"),
            "host:a,b,::1 port:,1,2"
        );
        assert_eq!(read("postgres://"), "");
    }

    #[test]
    fn an_error_tells_the_place_and_not_the_text() {
        let wrong = [
            "host=a hunter2 user=b",
            "host=a password='hunter2",
            "postgres://a:hunter2%@b/",
            "postgres://a@b/c?hunter2",
            "postgres://a@[::1/c",
        ];
        assert_eq!(
            wrong.map(read),
            [
                "character 8: expected `name=value`, or a URL such as `postgres://user@host/database`",
                "character 8: the quote of this entry is never closed",
                "`password`: a `%` needs two hexadecimal digits after it (`%25` is `%`)",
                "parameter 1 after `?`: expected `name=value`",
                "the bracket of an IPv6 address is never closed",
            ]
        );
    }
}
