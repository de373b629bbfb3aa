//! Lists of platforms.

/// Groups of a shortened list, in this order.
const GROUPS: &[&str] = &[
    "linux/amd64",
    "linux/arm64",
    "linux/arm",
    "linux/ppc64le",
    "linux/s390x",
    "linux/riscv64",
    "linux/mips64",
];
const MOST_GROUPS: usize = 4;

/// Returns at most four groups of platforms with the number of members, and the number of platforms that
/// are left out.
pub fn shorten(names: &[String]) -> String {
    let group_of = |name: &str| {
        let mut parts = name.trim_end_matches('*').splitn(3, '/');
        format!(
            "{}/{}",
            parts.next().unwrap_or(""),
            parts.next().unwrap_or("")
        )
    };
    let mut shown = Vec::new();
    let mut counted = 0;
    for group in GROUPS {
        let members: Vec<_> = names
            .iter()
            .filter(|name| group_of(name) == *group)
            .collect();
        if members.is_empty() || shown.len() == MOST_GROUPS {
            continue;
        }
        counted += members.len();
        let star = if members.iter().any(|name| name.ends_with('*')) {
            "*"
        } else {
            ""
        };
        shown.push(match members.len() {
            1 => members[0].clone(),
            count => format!("{group}{star} (+{count})"),
        });
    }
    if counted < names.len() {
        shown.push(format!("({} more)", names.len() - counted));
    }
    shown.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lists_are_counted() {
        let names = |list: &[&str]| {
            list.iter()
                .map(|name| (*name).to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(shorten(&names(&["linux/amd64"])), "linux/amd64");
        assert_eq!(
            shorten(&names(&[
                "linux/arm64*",
                "linux/amd64",
                "linux/amd64/v2",
                "linux/386",
                "linux/arm/v7",
                "linux/arm/v6",
                "linux/riscv64",
                "linux/s390x",
            ])),
            "linux/amd64 (+2), linux/arm64*, linux/arm (+2), linux/s390x, (2 more)"
        );
    }
}
