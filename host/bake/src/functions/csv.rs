//! Records of CSV.

use iechor_values::csv;

/// Splits a text into records. Empty lines are skipped, and all records have as many fields as the first.
pub fn records(text: &str) -> Result<Vec<Vec<String>>, String> {
    let mut records: Vec<Vec<String>> = Vec::new();
    let mut line = 0;
    let mut rest = text;
    while !rest.is_empty() {
        line += 1;
        let record = &rest[..end(rest)];
        rest = &rest[record.len()..];
        let first = line;
        line += record.trim_end_matches('\n').matches('\n').count();
        let record = record.strip_suffix('\n').unwrap_or(record);
        let record = record.strip_suffix('\r').unwrap_or(record);
        if record.is_empty() {
            continue;
        }
        let fields = csv::fields(record)
            .map_err(|error| format!("CSV parse error on line {first}: {error}"))?;
        if records
            .first()
            .is_some_and(|header| header.len() != fields.len())
        {
            return Err(format!(
                "CSV parse error on line {first}: wrong number of fields"
            ));
        }
        records.push(fields);
    }
    Ok(records)
}

/// Returns the end of the first record, with its line break. Line breaks between quotation marks are part of
/// a field.
fn end(text: &str) -> usize {
    let mut quoted = false;
    for (index, byte) in text.bytes().enumerate() {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' if !quoted => return index + 1,
            _ => {}
        }
    }
    text.len()
}
