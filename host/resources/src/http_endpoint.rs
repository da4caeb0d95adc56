//! `kind: HTTPEndpoint` (dapr.io/v1alpha1): a service outside, callable under an app ID.

use crate::{
    AppId, MetadataItem, MetadataValue, Namespace, Origin,
    component::{read_auth, read_secret_ref},
    document::{Head, scopes},
    fields::Fields,
    node::quote,
    reader::Reading,
    value::Field,
};

/// A service outside.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpEndpoint {
    /// `metadata.name`: the app ID under which it is called.
    pub name: AppId,
    /// The tenant.
    pub namespace: Namespace,
    /// `spec.baseUrl`, without the slash at its end.
    pub base_url: String,
    /// `spec.headers`, which every request to it carries.
    pub headers: Vec<MetadataItem>,
    /// `spec.clientTLS`.
    pub client_tls: Option<ClientTls>,
    /// `auth.secretStore`: where references look; absent: the only secret store of the namespace.
    pub secret_store: Option<String>,
    /// Apps that may call it; empty: all of the namespace.
    pub scopes: Vec<AppId>,
    /// Where the document stands.
    pub origin: Origin,
}

/// How TLS is spoken to a service. Each is PEM.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ClientTls {
    /// `rootCA`: the authority to trust instead of the system's.
    pub root_ca: Option<MetadataItem>,
    /// `certificate`: what the client shows.
    pub certificate: Option<MetadataItem>,
    /// `privateKey`: its key.
    pub private_key: Option<MetadataItem>,
}

impl HttpEndpoint {
    /// Everything that may refer to a secret.
    pub fn values(&self) -> impl Iterator<Item = &MetadataItem> {
        let tls = self.client_tls.iter();
        let tls = tls.flat_map(|tls| [&tls.root_ca, &tls.certificate, &tls.private_key]);
        self.headers.iter().chain(tls.flatten())
    }

    pub(crate) fn read(
        head: Head,
        document: &mut Fields<'_>,
        reading: &mut Reading<'_>,
    ) -> Option<Self> {
        let name = read_name(&head, document, reading);
        let secret_store = read_auth(document, reading);
        let scopes = scopes(document, reading);
        let spec = document.required("spec", "a map with a `baseUrl`", reading)?;
        let mut spec = spec.fields(reading)?;
        let base_url = spec.required(
            "baseUrl",
            "the address of the service, such as `https://api.example.com/v1`",
            reading,
        );
        let base_url = base_url.and_then(|field| read_base_url(&field, reading));
        let headers = spec.optional("headers", reading);
        let headers = headers.map(|field| read_headers(&field, reading));
        let client_tls = spec.child("clientTLS", reading);
        let client_tls = client_tls.map(|fields| read_client_tls(fields, reading));
        spec.finish(reading);
        Some(Self {
            name: name?,
            namespace: head.namespace,
            base_url: base_url?,
            headers: headers.unwrap_or_default(),
            client_tls,
            secret_store,
            scopes,
            origin: head.origin,
        })
    }
}

/// It is called like an app, and so named like one.
fn read_name(head: &Head, document: &Fields<'_>, reading: &mut Reading<'_>) -> Option<AppId> {
    let name = head.name.parse();
    name.map_err(|error: crate::InvalidName| {
        reading.error(document.key_place("metadata"), error.to_string());
    })
    .ok()
}

fn read_base_url(field: &Field<'_>, reading: &mut Reading<'_>) -> Option<String> {
    let text = field.text(reading)?;
    match base_url_fault(text) {
        None => Some(text.trim_end_matches('/').to_owned()),
        // What looks like a password is not shown.
        Some(fault) if text.contains('@') => {
            field.refuse(reading, fault);
            None
        }
        Some(fault) => {
            field.refuse(reading, format!("{fault}, found {}", quote(text)));
            None
        }
    }
}

fn base_url_fault(text: &str) -> Option<&'static str> {
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    let Some(rest) = rest else {
        return Some("expected a URL that begins with `https://` or `http://`");
    };
    let authority = rest.split('/').next().unwrap_or_default();
    if authority.is_empty() || authority.starts_with(':') {
        Some("expected a host behind the scheme")
    } else if authority.contains('@') {
        Some("expected a URL without user and password: put them in `headers`, by `secretKeyRef`")
    } else if rest.contains(['?', '#']) {
        Some("expected a URL without query and fragment")
    } else if !rest.chars().all(|c| c.is_ascii_graphic()) {
        Some("expected printable ASCII without spaces (percent-encode the rest)")
    } else {
        None
    }
}

fn read_headers(field: &Field<'_>, reading: &mut Reading<'_>) -> Vec<MetadataItem> {
    field
        .items(reading)
        .into_iter()
        .filter_map(|item| read_header(item, reading))
        .collect()
}

fn read_header(field: Field<'_>, reading: &mut Reading<'_>) -> Option<MetadataItem> {
    let mut fields = field.fields(reading)?;
    let origin = reading.origin(fields.place());
    let name = fields.required("name", "the name of a header", reading);
    let name = name.and_then(|field| read_header_name(&field, reading));
    let value = read_value(&mut fields, reading);
    fields.finish(reading);
    Some(MetadataItem {
        name: name?,
        value: value?,
        origin,
    })
}

/// A token of RFC 9110 section 5.6.2.
fn read_header_name(field: &Field<'_>, reading: &mut Reading<'_>) -> Option<String> {
    let text = field.text(reading)?;
    let legal = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if text.chars().all(legal) {
        return Some(text.to_owned());
    }
    field.refuse(
        reading,
        format!("expected the name of a header, found {}", quote(text)),
    );
    None
}

/// Exactly one of `value` and `secretKeyRef`.
pub(crate) fn read_value(
    fields: &mut Fields<'_>,
    reading: &mut Reading<'_>,
) -> Option<MetadataValue> {
    let plain = fields.optional("value", reading);
    let secret = fields.optional("secretKeyRef", reading);
    match (plain, secret) {
        (Some(field), None) => Some(MetadataValue::Plain(field.any_text(reading)?.to_owned())),
        (None, Some(field)) => read_secret_ref(field, reading),
        (None, None) if fields.has_unknown() => None,
        _ => {
            let message = "expected one of `value` and `secretKeyRef`";
            reading.error(fields.place(), message);
            None
        }
    }
}

fn read_client_tls(mut fields: Fields<'_>, reading: &mut Reading<'_>) -> ClientTls {
    let tls = ClientTls {
        root_ca: read_pem("rootCA", &mut fields, reading),
        certificate: read_pem("certificate", &mut fields, reading),
        private_key: read_pem("privateKey", &mut fields, reading),
    };
    // Renegotiation does not exist in TLS 1.3, and rustls does none in TLS 1.2.
    fields.ignore(&["renegotiation"]);
    if tls.certificate.is_some() != tls.private_key.is_some() && !fields.has_unknown() {
        let message = "`certificate` and `privateKey` need each other";
        reading.error(fields.place(), message);
    }
    fields.finish(reading);
    tls
}

fn read_pem(
    name: &'static str,
    fields: &mut Fields<'_>,
    reading: &mut Reading<'_>,
) -> Option<MetadataItem> {
    let mut fields = fields.child(name, reading)?;
    let origin = reading.origin(fields.place());
    let value = read_value(&mut fields, reading);
    fields.finish(reading);
    Some(MetadataItem {
        name: name.to_owned(),
        value: value?,
        origin,
    })
}
