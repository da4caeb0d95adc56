//! The kinds, and the groups of apiVersions that are ours.

/// A kind and who defines it.
pub(crate) struct Kind {
    pub name: &'static str,
    pub group: &'static str,
    pub versions: &'static [&'static str],
}

const DAPR: &str = "dapr.io";
const BERTH: &str = "berth.dev";
/// Every kind, Dapr's included that are not served yet.
pub(crate) static KINDS: [Kind; 8] = [
    Kind {
        name: "App",
        group: BERTH,
        versions: &["v1alpha1"],
    },
    Kind {
        name: "Component",
        group: DAPR,
        versions: &["v1alpha1"],
    },
    Kind {
        name: "Configuration",
        group: DAPR,
        versions: &["v1alpha1"],
    },
    Kind {
        name: "HTTPEndpoint",
        group: DAPR,
        versions: &["v1alpha1"],
    },
    Kind {
        name: "MCPServer",
        group: DAPR,
        versions: &["v1alpha1"],
    },
    Kind {
        name: "Resiliency",
        group: DAPR,
        versions: &["v1alpha1"],
    },
    Kind {
        name: "Subscription",
        group: DAPR,
        versions: &["v1alpha1", "v2alpha1"],
    },
    Kind {
        name: "WorkflowAccessPolicy",
        group: DAPR,
        versions: &["v1alpha1"],
    },
];

/// Whether an apiVersion belongs to berth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ownership {
    Ours,
    /// Probably meant to be this group.
    NearMiss(&'static str),
    Foreign,
}

/// Judges the text of an apiVersion.
pub(crate) fn ownership(api_version: &str) -> Ownership {
    let group = api_version.split('/').next().unwrap_or_default();
    let lower = group.to_ascii_lowercase();
    let near = |known: &str| {
        let label = known.split('.').next().unwrap_or_default();
        lower.split('.').next() == Some(label) || strsim::damerau_levenshtein(&lower, known) <= 2
    };
    match group {
        DAPR | BERTH => Ownership::Ours,
        // A longer name than any slip makes is another project's.
        _ if lower.len() > BERTH.len() + 4 => Ownership::Foreign,
        _ if near(DAPR) => Ownership::NearMiss(DAPR),
        _ if near(BERTH) => Ownership::NearMiss(BERTH),
        _ => Ownership::Foreign,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_misses_of_the_groups_are_noticed_and_others_left_alone() {
        assert_eq!(ownership("dapr.io/v1alpha1"), Ownership::Ours);
        assert_eq!(ownership("berth.dev/v1alpha1"), Ownership::Ours);
        for text in [
            "dapr/v1alpha1",
            "darp.io/v1alpha1",
            "Dapr.io/v1",
            "dapr.com/v1",
            "dapr.dev/v1alpha1",
        ] {
            assert_eq!(ownership(text), Ownership::NearMiss(DAPR), "{text}");
        }
        for text in ["berth.io/v1alpha1", "birth.dev/v1alpha1", "berth/v1"] {
            assert_eq!(ownership(text), Ownership::NearMiss(BERTH), "{text}");
        }
        for text in [
            "v1",
            "apps/v1",
            "operator.dapr.io/v1alpha1",
            "keda.sh/v1",
            "",
            "argoproj.io/v1",
        ] {
            assert_eq!(ownership(text), Ownership::Foreign, "{text}");
        }
    }
}
