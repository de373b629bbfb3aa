//! Reads names, platform and labels of the images in an archive of `docker save`.

use std::collections::BTreeMap;
use std::io::Read;

use iechor_values::hex;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::error::EngineError;
use crate::model::{Image, Platform, Startup};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Config {
    #[serde(default)]
    architecture: String,
    #[serde(default)]
    os: String,
    #[serde(default)]
    config: Inner,
}

#[derive(Deserialize, Default)]
struct Inner {
    #[serde(rename = "Labels", default)]
    labels: Option<BTreeMap<String, String>>,
}

pub(super) fn read(archive: &[u8]) -> Result<Vec<(String, Image)>, EngineError> {
    let refuse = |message: String| EngineError::Refused {
        status: 500,
        message: format!("cannot load the images: {message}"),
    };
    let mut files = BTreeMap::new();
    let mut archive = tar::Archive::new(archive);
    for entry in archive.entries().map_err(|e| refuse(e.to_string()))? {
        let mut entry = entry.map_err(|e| refuse(e.to_string()))?;
        let path = entry.path().map_err(|e| refuse(e.to_string()))?;
        let path = path.to_string_lossy().into_owned();
        if path.ends_with(".json") {
            let mut contents = Vec::new();
            entry
                .read_to_end(&mut contents)
                .map_err(|e| refuse(e.to_string()))?;
            files.insert(path, contents);
        }
    }
    let file = |path: &str| {
        files
            .get(path)
            .ok_or_else(|| refuse(format!("open {path}: no such file or directory")))
    };
    let entries: Vec<Entry> =
        serde_json::from_slice(file("manifest.json")?).map_err(|e| refuse(e.to_string()))?;
    let mut images = Vec::new();
    for entry in entries {
        let text = file(&entry.config)?;
        let config: Config = serde_json::from_slice(text).map_err(|e| refuse(e.to_string()))?;
        let image = Image {
            id: format!("sha256:{}", hex::encode(&Sha256::digest(text))),
            repo_digests: Vec::new(),
            platform: Platform {
                os: config.os,
                architecture: config.architecture,
                ..Platform::default()
            },
            labels: config.config.labels.unwrap_or_default(),
            startup: Startup::default(),
        };
        for tag in entry.repo_tags.unwrap_or_default() {
            images.push((tag, image.clone()));
        }
    }
    Ok(images)
}
