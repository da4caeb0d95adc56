//! The table: what was measured, against what, and whether the budget holds.

use crate::{machine::Machine, measurements::Measurement, samples::Samples};
use comfy_table::{CellAlignment, Table, presets::ASCII_MARKDOWN};
use serde::{Serialize, Serializer};

/// Everything that one run measured.
#[derive(Serialize)]
pub struct Report {
    machine: Machine,
    lines: Vec<Entry>,
}

#[derive(Serialize)]
struct Entry {
    measurement: &'static str,
    #[serde(flatten)]
    line: Line,
    /// Absent: there is no budget.
    within_budget: Option<bool>,
}

/// One figure of berth.
#[derive(Serialize)]
pub struct Line {
    pub what: String,
    pub unit: Unit,
    pub berth: Figure,
    pub peer: Option<Peer>,
    pub budget: Budget,
}

/// The figure of another program in the same run.
#[derive(Serialize)]
pub struct Peer {
    pub name: String,
    pub figure: Figure,
}

/// What the rounds of one contender came to.
#[derive(Serialize, Clone, Copy)]
pub struct Figure {
    pub median: f64,
    /// The distance between the extremes as a share of the median.
    pub spread: f64,
}

/// What a figure counts.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    PerSecond,
    Microseconds,
    Milliseconds,
    Kibibytes,
    Count,
    /// A small one, with its fraction.
    Number,
}

/// What must hold.
#[derive(Clone, Copy)]
pub enum Budget {
    /// berth's figure is at least this many times the peer's.
    RatioAtLeast(f64),
    /// berth's figure is at most this share of the peer's.
    RatioAtMost(f64),
    /// berth's figure is at most this.
    AtMost(f64),
    /// berth's figure is at least this.
    AtLeast(f64),
    /// Shown for comparison.
    None,
}

impl Line {
    /// berth beside a peer.
    pub fn beside(
        what: &str,
        unit: Unit,
        berth: &Samples,
        peer: (&str, &Samples),
        budget: Budget,
    ) -> Self {
        let peer = Peer {
            name: peer.0.to_owned(),
            figure: peer.1.into(),
        };
        Self {
            what: what.to_owned(),
            unit,
            berth: berth.into(),
            peer: Some(peer),
            budget,
        }
    }

    /// berth on its own.
    pub fn alone(what: &str, unit: Unit, berth: &Samples, budget: Budget) -> Self {
        Self {
            what: what.to_owned(),
            unit,
            berth: berth.into(),
            peer: None,
            budget,
        }
    }

    fn ratio(&self) -> Option<f64> {
        let peer = self.peer.as_ref()?;
        Some(self.berth.median / peer.figure.median)
    }

    fn within_budget(&self) -> Option<bool> {
        match self.budget {
            Budget::RatioAtLeast(least) => Some(self.ratio()? >= least),
            Budget::RatioAtMost(most) => Some(self.ratio()? <= most),
            Budget::AtMost(most) => Some(self.berth.median <= most),
            Budget::AtLeast(least) => Some(self.berth.median >= least),
            Budget::None => None,
        }
    }

    fn cells(&self, measurement: &str) -> [String; 7] {
        let peer = |peer: &Peer| format!("{} ({})", self.unit.show(peer.figure.median), peer.name);
        let spread = (self.berth.spread * 100.0).round();
        [
            format!("{measurement}: {}", self.what),
            self.unit.show(self.berth.median),
            format!("{spread} %"),
            self.peer.as_ref().map(peer).unwrap_or_default(),
            self.ratio()
                .map(|ratio| format!("{ratio:.2}"))
                .unwrap_or_default(),
            self.budget.show(self.unit),
            match self.within_budget() {
                Some(true) => "pass",
                Some(false) => "**miss**",
                None => "",
            }
            .to_owned(),
        ]
    }
}

impl From<&Samples> for Figure {
    fn from(samples: &Samples) -> Self {
        Self {
            median: samples.median(),
            spread: samples.spread(),
        }
    }
}

impl Unit {
    fn show(self, figure: f64) -> String {
        let digits = match figure {
            100.0.. => 0,
            10.0.. => 1,
            _ => 2,
        };
        match self {
            Self::PerSecond => format!("{}/s", thousands(figure)),
            Self::Microseconds => format!("{figure:.digits$} µs"),
            Self::Milliseconds => format!("{figure:.digits$} ms"),
            Self::Kibibytes => format!("{} KiB", thousands(figure)),
            Self::Count => thousands(figure),
            Self::Number => format!("{figure:.2}"),
        }
    }
}

fn thousands(figure: f64) -> String {
    let digits = format!("{figure:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

impl Budget {
    fn show(self, unit: Unit) -> String {
        match self {
            Self::RatioAtLeast(least) => format!("at least {least} times"),
            Self::RatioAtMost(most) => format!("at most {most} times"),
            Self::AtMost(most) => format!("at most {}", unit.show(most)),
            Self::AtLeast(least) => format!("at least {}", unit.show(least)),
            Self::None => String::new(),
        }
    }
}

/// In the words of the table, which need no explanation.
impl Serialize for Budget {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::RatioAtLeast(least) => serializer.collect_str(&format_args!("ratio >= {least}")),
            Self::RatioAtMost(most) => serializer.collect_str(&format_args!("ratio <= {most}")),
            Self::AtMost(most) => serializer.collect_str(&format_args!("berth <= {most}")),
            Self::AtLeast(least) => serializer.collect_str(&format_args!("berth >= {least}")),
            Self::None => serializer.serialize_none(),
        }
    }
}

impl Report {
    pub fn new(machine: Machine) -> Self {
        Self {
            machine,
            lines: Vec::new(),
        }
    }

    pub fn add(&mut self, measurement: Measurement, lines: Vec<Line>) {
        let measurement = measurement.name();
        self.lines.extend(lines.into_iter().map(|line| Entry {
            measurement,
            within_budget: line.within_budget(),
            line,
        }));
    }

    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// Readable on a terminal and as Markdown.
    pub fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_style(ASCII_MARKDOWN).set_header([
            "measured", "berth", "spread", "peer", "ratio", "budget", "result",
        ]);
        for entry in &self.lines {
            table.add_row(entry.line.cells(entry.measurement));
        }
        for column in [1, 2, 4] {
            if let Some(column) = table.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(berth: f64, peer: f64, budget: Budget) -> Line {
        let samples = |figure| {
            let mut samples = Samples::default();
            samples.push(figure);
            samples
        };
        Line::beside(
            "hello",
            Unit::PerSecond,
            &samples(berth),
            ("a peer", &samples(peer)),
            budget,
        )
    }

    #[test]
    fn a_line_shows_figures_ratio_and_verdict() {
        let cells = line(58_500.4, 16_800.0, Budget::RatioAtLeast(3.0)).cells("http_fresh");
        assert_eq!(
            cells.join(" | "),
            "http_fresh: hello | 58,500/s | 0 % | 16,800/s (a peer) | 3.48 | at least 3 times | pass"
        );
    }

    #[test]
    fn a_budget_of_at_most_is_missed_above() {
        let verdict = |budget| line(6.0, 10.0, budget).within_budget();
        assert_eq!(verdict(Budget::RatioAtMost(0.5)), Some(false));
        assert_eq!(verdict(Budget::RatioAtMost(0.7)), Some(true));
        assert_eq!(verdict(Budget::AtMost(5.0)), Some(false));
        assert_eq!(verdict(Budget::None), None);
    }
}
