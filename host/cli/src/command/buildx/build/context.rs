//! The message about a large context.

use iechor_build::plan::large::LargeContext;
use iechor_values::size;

use crate::text::Text;

/// Returns the size of a context and of its largest directories, with what to do about it.
pub(super) fn described(context: &LargeContext) -> Text {
    let total = decimal(context.bytes);
    let name = match context.name.as_str() {
        "context" => String::new(),
        name => format!(" {name}"),
    };
    let largest = match context.largest.as_slice() {
        [] => "",
        [_] => " Its largest directory:",
        _ => " Its largest directories:",
    };
    let mut text = Text::default();
    text.line("");
    text.line(&format!("The build context{name} has {total}.{largest}"));
    for directory in &context.largest {
        let bytes = decimal(directory.bytes);
        text.line(&format!("{bytes:>11}  {}", directory.path));
    }
    text.line("Exclude what the build does not need with a .dockerignore file.");
    text
}

fn decimal(bytes: u64) -> String {
    size::decimal(i64::try_from(bytes).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_directories_are_listed() {
        let text = described(&LargeContext {
            name: "context".into(),
            bytes: 250_000_000,
            largest: vec![],
        });
        let said = "\nThe build context has 250.00MB.\nExclude what";
        assert!(text.as_str().starts_with(said), "{}", text.as_str());
    }
}
