//! The contents of the daemon's cache, and their removal.

use std::time::{Duration, SystemTime};

use bollard_buildkit_proto::moby::buildkit::v1 as control;
use tokio::sync::mpsc;

use crate::client::Client;
use crate::error::Error;
use crate::status::system_time;

/// A record of the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageRecord {
    /// Identifier of the record.
    pub id: String,
    /// Whether the record may still change, as a cache mount or a copy of a context does.
    pub mutable: bool,
    /// Whether the record is in use now. Such a record cannot be removed.
    pub in_use: bool,
    /// Size on disk without the parents, in bytes.
    pub size: i64,
    /// Records that this one is based on.
    pub parents: Vec<String>,
    /// Time of the creation.
    pub created_at: SystemTime,
    /// Time of the last use by a build.
    pub last_used_at: Option<SystemTime>,
    /// Number of builds that used the record.
    pub usage_count: i64,
    /// Origin, for example `mount / from exec /bin/sh -c make`.
    pub description: String,
    /// Kind, for example `regular` or `source.local`.
    pub record_type: String,
    /// Whether the record shares its contents with something outside of the cache, such as an
    /// image.
    pub shared: bool,
}

impl From<control::UsageRecord> for UsageRecord {
    fn from(record: control::UsageRecord) -> Self {
        let mut parents = record.parents;
        #[expect(deprecated, reason = "daemons before 0.9 fill only this one")]
        if parents.is_empty() && !record.parent.is_empty() {
            parents.push(record.parent);
        }
        Self {
            id: record.id,
            mutable: record.mutable,
            in_use: record.in_use,
            size: record.size,
            parents,
            created_at: record
                .created_at
                .as_ref()
                .map_or(SystemTime::UNIX_EPOCH, system_time),
            last_used_at: record.last_used_at.as_ref().map(system_time),
            usage_count: record.usage_count,
            description: record.description,
            record_type: record.record_type,
            shared: record.shared,
        }
    }
}

/// Records to remove from the cache. The default is all records that no build can use any more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PruneRequest {
    /// Filters, for example `type==source.local`. A record has to match one of them.
    pub filters: Vec<String>,
    /// Whether to remove internal and frontend images, too.
    pub all: bool,
    /// Time since the last use within which a record is kept.
    pub keep_duration: Duration,
    /// Space to keep in any case, in bytes; zero for none.
    pub reserved_space: i64,
    /// Maximum space to keep, in bytes; zero for no limit.
    pub max_used_space: i64,
    /// Minimum disk space to free, in bytes; zero for no goal.
    pub min_free_space: i64,
}

impl Client {
    /// Returns the records of the cache that match one of the filters, or all records if there are
    /// no filters.
    ///
    /// A daemon with a large cache may need a long time. The call has no time limit.
    ///
    /// # Errors
    ///
    /// The connection is lost, or the daemon refuses the call.
    pub async fn disk_usage(&self, filters: Vec<String>) -> Result<Vec<UsageRecord>, Error> {
        let mut control = self.control();
        let request = control::DiskUsageRequest {
            filter: filters,
            age_limit: 0,
        };
        let answer = self
            .call("Control.DiskUsage", control.disk_usage(request))
            .await?;
        Ok(answer.record.into_iter().map(Into::into).collect())
    }

    /// Removes records of the cache and sends each to `removed`.
    ///
    /// Dropping the future stops the removal. The call has no time limit.
    ///
    /// # Errors
    ///
    /// The connection is lost, or the daemon refuses the call.
    pub async fn prune(
        &self,
        request: PruneRequest,
        removed: mpsc::Sender<UsageRecord>,
    ) -> Result<(), Error> {
        const CALL: &str = "Control.Prune";
        let mut control = self.control();
        let request = control::PruneRequest {
            filter: request.filters,
            all: request.all,
            keep_duration: i64::try_from(request.keep_duration.as_nanos()).unwrap_or(i64::MAX),
            reserved_space: request.reserved_space,
            max_used_space: request.max_used_space,
            min_free_space: request.min_free_space,
        };
        let mut records = self.call(CALL, control.prune(request)).await?;
        while let Some(record) = self.next(CALL, &mut records).await? {
            // The removal continues without a receiver.
            let _ = removed.send(record.into()).await;
        }
        Ok(())
    }
}
