//! The syntax of `--gpus`.

use bollard::models::DeviceRequest;

use crate::error::EngineError;

/// Reads the value of `--gpus` as the Docker CLI does (`opts/gpus.go`): `all`, a number, or
/// comma-separated `key=value` pairs. A pair that contains a comma is in quotes.
pub(super) fn device_request(gpus: &str) -> Result<DeviceRequest, EngineError> {
    let bad = |why: &str| {
        EngineError::Invalid(format!(
            "gpus {gpus:?}: {why}; write `all`, a number, or for example \
             `\"device=0,2\",capabilities=utility`"
        ))
    };
    let mut request = DeviceRequest {
        driver: Some(String::new()),
        count: None,
        device_ids: None,
        capabilities: None,
        options: None,
    };
    let mut capabilities = vec!["gpu".to_owned()];
    // Devices alone need no quotes, unlike with the Docker CLI.
    let quoted = match gpus.strip_prefix("device=") {
        Some(ids) if !ids.contains(['=', '"']) => format!("\"{gpus}\""),
        _ => gpus.to_owned(),
    };
    for field in fields(&quoted) {
        let (key, value) = field.split_once('=').unwrap_or(("count", &field));
        match key {
            "driver" => request.driver = Some(value.to_owned()),
            "count" if value == "all" => request.count = Some(-1),
            "count" => {
                let count = value
                    .parse()
                    .map_err(|_| bad(&format!("{value:?} is not a number")))?;
                request.count = Some(count);
            }
            "device" => {
                request.device_ids = Some(value.split(',').map(str::to_owned).collect());
            }
            "capabilities" => {
                for capability in value.split(',').filter(|c| *c != "gpu") {
                    capabilities.push(capability.to_owned());
                }
            }
            "options" => {
                let options = value.split(',').map(|o| {
                    let (k, v) = o.split_once('=').unwrap_or((o, ""));
                    (k.to_owned(), v.to_owned())
                });
                request.options = Some(options.collect());
            }
            _ => return Err(bad(&format!("unexpected key {key:?}"))),
        }
    }
    if request.count.is_none() && request.device_ids.is_none() {
        request.count = Some(1);
    }
    request.capabilities = Some(vec![capabilities]);
    Ok(request)
}

/// Splits a value at its commas outside quotes.
fn fields(value: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    for c in value.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            c => {
                if let Some(last) = fields.last_mut() {
                    last.push(c);
                }
            }
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gpus_as_the_docker_cli_reads_them() {
        let read = |text| device_request(text).expect("good");
        assert_eq!(read("all").count, Some(-1));
        assert_eq!(read("2").count, Some(2));
        assert_eq!(read("count=3").count, Some(3));
        let request = read("\"device=0,2\",\"capabilities=gpu,utility\",driver=nvidia");
        assert_eq!(request.count, None);
        assert_eq!(
            request.device_ids,
            Some(vec!["0".to_owned(), "2".to_owned()])
        );
        assert_eq!(
            request.capabilities,
            Some(vec![vec!["gpu".to_owned(), "utility".to_owned()]])
        );
        assert_eq!(request.driver.as_deref(), Some("nvidia"));
        assert_eq!(read("driver=x").count, Some(1));
        let ids = read("device=0,GPU-1").device_ids;
        assert_eq!(ids, Some(vec!["0".to_owned(), "GPU-1".to_owned()]));
        for bad in ["many", "colour=red"] {
            let error = device_request(bad).expect_err("bad");
            assert!(error.to_string().contains(bad), "{error}");
        }
    }
}
