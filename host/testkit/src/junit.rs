//! Results in the form that continuous integration reads: JUnit's XML.

use crate::Ran;
use std::fmt::Write;

/// The report of many scenarios.
#[must_use]
pub fn junit(all: &[Ran]) -> String {
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let failed = |all: &[&Ran]| all.iter().filter(|ran| !ran.passed()).count();
    let took = |all: &[&Ran]| all.iter().map(|ran| ran.took.as_secs_f64()).sum::<f64>();
    let whole: Vec<_> = all.iter().collect();
    // Writing to a text never fails.
    let _ = writeln!(
        xml,
        "<testsuites name=\"berth\" tests=\"{}\" failures=\"{}\" time=\"{:.3}\">",
        whole.len(),
        failed(&whole),
        took(&whole)
    );
    for of_file in all.chunk_by(|one, other| one.file == other.file) {
        let of_file: Vec<_> = of_file.iter().collect();
        let name = of_file.first().map_or("", |ran| ran.file.as_str());
        let _ = writeln!(
            xml,
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" time=\"{:.3}\">",
            escaped(name),
            of_file.len(),
            failed(&of_file),
            took(&of_file)
        );
        for ran in of_file {
            case(&mut xml, ran);
        }
        xml.push_str("  </testsuite>\n");
    }
    xml.push_str("</testsuites>\n");
    xml
}

fn case(xml: &mut String, ran: &Ran) {
    let (name, class) = (escaped(&ran.name), escaped(&ran.file));
    let time = ran.took.as_secs_f64();
    let _ = write!(
        xml,
        "    <testcase name=\"{name}\" classname=\"{class}\" time=\"{time:.3}\""
    );
    if ran.passed() {
        xml.push_str("/>\n");
        return;
    }
    xml.push_str(">\n");
    for problem in &ran.problems {
        let message = escaped(&problem.message);
        let text = escaped(&problem.to_string());
        let _ = writeln!(xml, "      <failure message=\"{message}\">{text}</failure>");
    }
    if !ran.log.is_empty() {
        let log = escaped(&ran.log.join("\n"));
        let _ = writeln!(xml, "      <system-out>{log}</system-out>");
    }
    xml.push_str("    </testcase>\n");
}

/// Without what XML cannot hold.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' | '\t' => escaped.push(c),
            c if c.is_control() => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Problem;
    use berth_resources::Origin;
    use std::time::Duration;

    #[test]
    fn a_report_has_a_suite_for_each_file() {
        let ran = |name: &str, problems| Ran {
            file: "orders.test.yaml".to_owned(),
            name: name.to_owned(),
            problems,
            log: vec!["orders: hello".to_owned()],
            swept: 0,
            took: Duration::from_millis(12),
        };
        let problem = Problem::new(&Origin::defaults(), "1 < 2 & \"3\"");
        let all = [ran("passes", Vec::new()), ran("fails", vec![problem])];
        insta::assert_snapshot!(junit(&all), @r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites name="berth" tests="2" failures="1" time="0.024">
          <testsuite name="orders.test.yaml" tests="2" failures="1" time="0.024">
            <testcase name="passes" classname="orders.test.yaml" time="0.012"/>
            <testcase name="fails" classname="orders.test.yaml" time="0.012">
              <failure message="1 &lt; 2 &amp; &quot;3&quot;">&lt;defaults&gt;: 1 &lt; 2 &amp; &quot;3&quot;</failure>
              <system-out>orders: hello</system-out>
            </testcase>
          </testsuite>
        </testsuites>
        "#);
    }
}
