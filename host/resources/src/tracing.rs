//! `spec.tracing` of a Configuration: which traces are recorded, and where their spans go.

use crate::{
    Diagnostic, MetadataItem, MetadataValue, Secret, Severity, component::read_secret_ref,
    fields::Fields, http_endpoint::read_value, node::quote, reader::Reading, value::Field,
};
use std::{ops::RangeInclusive, time::Duration};

/// `spec.tracing`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Tracing {
    /// Share of the traces that begin here which are recorded, 0 to 1.
    pub sampling_rate: f64,
    /// Print spans to standard output.
    pub stdout: bool,
    /// `zipkin.endpointAddress`: the URL that takes spans.
    pub zipkin: Option<String>,
    /// `otel`
    pub otel: Option<Otel>,
    /// `azureMonitor`, which Dapr does not have.
    pub azure_monitor: Option<AzureMonitor>,
    /// What refers to secrets, which [`with_secrets`](Self::with_secrets) puts in its place: headers of `otel` by their
    /// names, and `connectionString`.
    pub references: Vec<MetadataItem>,
}

/// The reference that stands for `azureMonitor.connectionString`: no header has a dot before it.
const CONNECTION_STRING: &str = "azureMonitor.connectionString";
/// What stands before the name of a header.
const HEADER: &str = "otel.headers.";

/// `spec.tracing.otel`: a collector that speaks OTLP.
#[derive(Debug, Clone, PartialEq)]
pub struct Otel {
    /// Where it is, with scheme: `isSecure` has chosen one where the document has none.
    pub endpoint: String,
    /// How it is spoken to.
    pub protocol: OtelProtocol,
    /// Sent with every request; values are often keys.
    pub headers: Vec<(String, Secret)>,
    /// How long one request may take.
    pub timeout: Duration,
}

/// `otel.protocol`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OtelProtocol {
    /// OTLP over gRPC.
    Grpc,
    /// OTLP over HTTP, as protobuf.
    Http,
}

/// `spec.tracing.azureMonitor`: taken apart from `connectionString`.
#[derive(Debug, Clone, PartialEq)]
pub struct AzureMonitor {
    /// `InstrumentationKey`
    pub instrumentation_key: Secret,
    /// `IngestionEndpoint`, without a slash at its end.
    pub endpoint: String,
}

/// Dapr's, where the document names none.
const SAMPLING_RATE: f64 = 0.0001;
/// OTLP's own default.
const OTEL_TIMEOUT: Duration = Duration::from_secs(10);
const OTEL_TIMEOUTS: RangeInclusive<Duration> =
    Duration::from_millis(100)..=Duration::from_secs(60);

/// Where Azure Monitor is if the connection string does not say it.
const AZURE_ENDPOINT: &str = "https://dc.services.visualstudio.com";

impl Tracing {
    /// The same with the secrets that it refers to.
    ///
    /// # Errors
    /// A secret that cannot be what it stands for, at its place.
    pub fn with_secrets(
        &self,
        secret: impl Fn(&MetadataItem) -> Option<Secret>,
    ) -> Result<Self, Diagnostic> {
        let mut whole = self.clone();
        for item in std::mem::take(&mut whole.references) {
            let Some(value) = secret(&item) else {
                continue;
            };
            if item.name == CONNECTION_STRING {
                let parsed = connection_string(value.reveal());
                whole.azure_monitor = Some(parsed.map_err(|fault| Diagnostic {
                    origin: item.origin.clone(),
                    severity: Severity::Error,
                    message: format!("`spec.tracing.{CONNECTION_STRING}`: {fault}"),
                    hint: None,
                })?);
            } else if let (Some(otel), Some(name)) =
                (&mut whole.otel, item.name.strip_prefix(HEADER))
            {
                otel.headers.push((name.to_owned(), value));
            }
        }
        Ok(whole)
    }

    /// Whether anything is done with spans.
    #[must_use]
    pub fn has_exporter(&self) -> bool {
        self.stdout || self.zipkin.is_some() || self.otel.is_some() || self.azure_monitor.is_some()
    }

    pub(crate) fn read(mut fields: Fields<'_>, reading: &mut Reading<'_>) -> Self {
        let rate = fields.optional("samplingRate", reading);
        let sampling_rate = rate.and_then(|field| read_rate(&field, reading));
        let stdout = fields.optional("stdout", reading);
        let stdout = stdout.and_then(|field| field.boolean(reading));
        let zipkin = fields.child("zipkin", reading);
        let zipkin = zipkin.and_then(|fields| read_zipkin(fields, reading));
        let mut references = Vec::new();
        let otel = fields.child("otel", reading);
        let otel = otel.and_then(|fields| read_otel(fields, &mut references, reading));
        let azure = fields.child("azureMonitor", reading);
        let azure_monitor = azure.and_then(|fields| read_azure(fields, &mut references, reading));
        fields.finish(reading);
        Self {
            sampling_rate: sampling_rate.unwrap_or(SAMPLING_RATE),
            stdout: stdout.unwrap_or_default(),
            zipkin,
            otel,
            azure_monitor,
            references,
        }
    }
}

/// Dapr wants a text here, people write a number: both are fine.
fn read_rate(field: &Field<'_>, reading: &mut Reading<'_>) -> Option<f64> {
    let text = field.any_text(reading);
    let rate = text.and_then(|text| text.trim().parse::<f64>().ok());
    let rate = rate.filter(|rate| (0.0..=1.0).contains(rate));
    if rate.is_none() {
        field.expected(reading, "a share from `0` to `1`, such as `\"0.1\"`");
    }
    rate
}

fn read_zipkin(mut fields: Fields<'_>, reading: &mut Reading<'_>) -> Option<String> {
    const EXPECTED: &str = "a URL such as `http://localhost:9411/api/v2/spans`";
    let field = fields.required("endpointAddress", EXPECTED, reading);
    let endpoint = field.and_then(|field| read_url(&field, EXPECTED, reading));
    fields.finish(reading);
    endpoint
}

fn read_otel(
    mut fields: Fields<'_>,
    references: &mut Vec<MetadataItem>,
    reading: &mut Reading<'_>,
) -> Option<Otel> {
    const EXPECTED: &str = "`host:port` or a URL, such as `localhost:4317`";
    let protocol = fields.optional("protocol", reading);
    let choices = [("grpc", OtelProtocol::Grpc), ("http", OtelProtocol::Http)];
    let protocol = match protocol {
        Some(field) => field.choice(&choices, reading),
        None => Some(OtelProtocol::Grpc),
    };
    let secure = fields.optional("isSecure", reading);
    // As in Dapr: who wants plain text says so.
    let secure = secure.map_or(Some(true), |field| field.boolean(reading));
    let endpoint = fields.required("endpointAddress", EXPECTED, reading);
    let endpoint = endpoint.and_then(|field| read_address(&field, secure?, EXPECTED, reading));
    let headers = fields.optional("headers", reading);
    let headers = headers.map(|field| read_headers(&field, references, reading));
    let timeout = fields.optional("timeout", reading);
    let timeout = timeout.and_then(|field| field.duration(OTEL_TIMEOUTS, reading));
    fields.finish(reading);
    Some(Otel {
        endpoint: endpoint?,
        protocol: protocol?,
        headers: headers.unwrap_or_default(),
        timeout: timeout.unwrap_or(OTEL_TIMEOUT),
    })
}

/// `host:port`, whose scheme `isSecure` chooses, or a URL.
fn read_address(
    field: &Field<'_>,
    secure: bool,
    expected: &str,
    reading: &mut Reading<'_>,
) -> Option<String> {
    let text = field.text(reading)?;
    if text.contains("://") {
        return read_url(field, expected, reading);
    }
    let scheme = if secure { "https" } else { "http" };
    let url = format!("{scheme}://{text}");
    match url_fault(&url) {
        None => Some(url),
        Some(fault) => {
            refuse(field, fault, expected, reading);
            None
        }
    }
}

fn read_url(field: &Field<'_>, expected: &str, reading: &mut Reading<'_>) -> Option<String> {
    let text = field.text(reading)?;
    match url_fault(text) {
        None => Some(text.to_owned()),
        Some(fault) => {
            refuse(field, fault, expected, reading);
            None
        }
    }
}

fn refuse(field: &Field<'_>, fault: &str, expected: &str, reading: &mut Reading<'_>) {
    let text = field.text(reading).unwrap_or_default();
    // What looks like a password is not shown.
    let shown = if text.contains('@') {
        String::new()
    } else {
        format!(", found {}", quote(text))
    };
    field.refuse(reading, format!("expected {expected}: {fault}{shown}"));
}

fn url_fault(text: &str) -> Option<&'static str> {
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    let Some(rest) = rest else {
        return Some("it begins with neither `http://` nor `https://`");
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let port = match authority
        .strip_prefix('[')
        .and_then(|rest| rest.split_once(']'))
    {
        Some((_, port)) => port.strip_prefix(':'),
        None => authority.split_once(':').map(|(_, port)| port),
    };
    if authority.is_empty() || authority.starts_with(':') {
        Some("the host is missing")
    } else if authority.contains('@') {
        Some("user and password do not belong into it")
    } else if port.is_some_and(|port| port.parse::<u16>().is_err() || port == "0") {
        Some("the port is not a number from 1 to 65535")
    } else if !rest.chars().all(|c| c.is_ascii_graphic()) {
        Some("it holds a space, or something else than printable ASCII")
    } else {
        None
    }
}

/// `name=value,name=value`, or a list of `name` and `value` or `secretKeyRef`.
fn read_headers(
    field: &Field<'_>,
    references: &mut Vec<MetadataItem>,
    reading: &mut Reading<'_>,
) -> Vec<(String, Secret)> {
    if field.node.scalar().is_some() {
        return read_header_text(field, reading);
    }
    let items = field.items(reading).into_iter();
    items
        .filter_map(|item| {
            let mut fields = item.fields(reading)?;
            let origin = reading.origin(fields.place());
            let name = fields.required("name", "the name of a header", reading);
            let name = name.and_then(|field| read_header_name(&field, reading));
            let value = read_value(&mut fields, reading);
            fields.finish(reading);
            match (name?, value?) {
                (name, MetadataValue::Plain(text)) => Some((name, Secret::new(text))),
                (name, value) => {
                    let name = format!("{HEADER}{name}");
                    references.push(MetadataItem {
                        name,
                        value,
                        origin,
                    });
                    None
                }
            }
        })
        .collect()
}

fn read_header_text(field: &Field<'_>, reading: &mut Reading<'_>) -> Vec<(String, Secret)> {
    let text = field.text(reading).unwrap_or_default();
    let mut headers = Vec::new();
    for pair in text.split(',').filter(|pair| !pair.trim().is_empty()) {
        match pair.split_once('=') {
            Some((name, value)) if is_header_name(name.trim()) => {
                headers.push((name.trim().to_owned(), Secret::new(value.trim().to_owned())));
            }
            // The value may be a key, so that nothing of it is shown.
            _ => field.refuse(reading, "expected `name=value` pairs, separated by commas"),
        }
    }
    headers
}

fn read_header_name(field: &Field<'_>, reading: &mut Reading<'_>) -> Option<String> {
    let text = field.text(reading)?;
    if is_header_name(text) {
        return Some(text.to_owned());
    }
    field.refuse(
        reading,
        format!("expected the name of a header, found {}", quote(text)),
    );
    None
}

/// A token of RFC 9110 section 5.6.2.
fn is_header_name(text: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    !text.is_empty() && text.chars().all(legal)
}

fn read_azure(
    mut fields: Fields<'_>,
    references: &mut Vec<MetadataItem>,
    reading: &mut Reading<'_>,
) -> Option<AzureMonitor> {
    let field = fields.required(
        "connectionString",
        "the connection string of an Application Insights resource",
        reading,
    );
    let azure = field.and_then(|field| {
        if field.node.map().is_some() {
            references.extend(read_reference(field, reading));
            return None;
        }
        let text = field.text(reading)?;
        let parsed = connection_string(text);
        // Its parts are keys: nothing of it is shown.
        parsed.map_err(|fault| field.refuse(reading, fault)).ok()
    });
    fields.finish(reading);
    azure
}

/// `connectionString: { secretKeyRef: { name, key } }`
fn read_reference(field: Field<'_>, reading: &mut Reading<'_>) -> Option<MetadataItem> {
    let mut fields = field.fields(reading)?;
    let origin = reading.origin(fields.place());
    let reference = fields.required("secretKeyRef", "a reference to a secret", reading);
    let reference = reference.and_then(|field| read_secret_ref(field, reading));
    fields.finish(reading);
    Some(MetadataItem {
        name: CONNECTION_STRING.to_owned(),
        value: reference?,
        origin,
    })
}

fn connection_string(text: &str) -> Result<AzureMonitor, &'static str> {
    let part = |wanted: &str| {
        let parts = text.split(';').filter_map(|part| part.split_once('='));
        let mut own = parts.filter(|(name, _)| name.trim().eq_ignore_ascii_case(wanted));
        own.next().map(|(_, value)| value.trim())
    };
    let key = part("InstrumentationKey").filter(|key| !key.is_empty());
    let Some(key) = key else {
        return Err(
            "expected `InstrumentationKey=...;IngestionEndpoint=https://...`: the key is missing",
        );
    };
    let endpoint = part("IngestionEndpoint").unwrap_or(AZURE_ENDPOINT);
    if url_fault(endpoint).is_some() {
        return Err(
            "expected `InstrumentationKey=...;IngestionEndpoint=https://...`: the endpoint is not a URL",
        );
    }
    Ok(AzureMonitor {
        instrumentation_key: Secret::new(key.to_owned()),
        endpoint: endpoint.trim_end_matches('/').to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_string_is_taken_apart() {
        let text = "InstrumentationKey=k-1;IngestionEndpoint=https://west.example/;LiveEndpoint=https://x/";
        let azure = connection_string(text).unwrap();
        assert_eq!(azure.instrumentation_key.reveal(), "k-1");
        assert_eq!(azure.endpoint, "https://west.example");
        let short = connection_string("instrumentationkey=k").unwrap();
        assert_eq!(short.endpoint, AZURE_ENDPOINT);
        for text in [
            "",
            "k",
            "InstrumentationKey=",
            "InstrumentationKey=k;IngestionEndpoint=x",
        ] {
            assert!(connection_string(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_endpoint_is_a_url_with_a_host() {
        for good in [
            "http://localhost:9411/api/v2/spans",
            "https://[::1]:4317",
            "https://collector.example",
        ] {
            assert_eq!(url_fault(good), None, "{good}");
        }
        for bad in [
            "localhost:9411",
            "http://",
            "http://:9411",
            "http://host:port/",
            "http://host:0",
            "http://user:secret@host",
            "http://ho st",
        ] {
            assert!(url_fault(bad).is_some(), "{bad}");
        }
    }
}
