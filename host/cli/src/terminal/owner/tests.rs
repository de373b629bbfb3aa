//! What stands at the cursor when several sources write.

use super::*;

fn owner() -> Owner<Vec<u8>, Vec<u8>> {
    Owner::new(Vec::new(), Vec::new(), true)
}

fn error(owner: &Owner<Vec<u8>, Vec<u8>>) -> String {
    String::from_utf8(owner.error.clone()).expect("text")
}

#[test]
fn a_message_does_not_cut_into_a_line_of_progress() {
    let mut owner = owner();
    owner.progress("#1 0.1 half").expect("written");
    owner.lines(Stream::Error, "WARNING: x\n").expect("written");
    owner.progress(" of it\n#1 DONE\n").expect("written");
    assert_eq!(
        error(&owner),
        "#1 0.1 half\nWARNING: x\n   of it\n#1 DONE\n"
    );
}

#[test]
fn a_line_that_only_had_to_end_leaves_no_empty_line() {
    let mut owner = owner();
    owner.progress("#1 0.1 half").expect("written");
    owner.lines(Stream::Error, "hint: x").expect("written");
    owner.progress("\n#1 DONE\n").expect("written");
    assert_eq!(error(&owner), "#1 0.1 half\nhint: x\n#1 DONE\n");
}

#[test]
fn a_question_is_asked_again_below_other_output() {
    let mut owner = owner();
    owner.ask("Continue? [y/N] ".into());
    owner.lines(Stream::Error, "WARNING: x\n").expect("written");
    owner.progress("#1 a\n#1 b").expect("written");
    owner.transient("10 %".into());
    assert!(owner.is_asking());
    owner.answered(false);
    owner.progress("c\n").expect("written");
    assert_eq!(
        error(&owner),
        "Continue? [y/N] \nWARNING: x\nContinue? [y/N] \n#1 a\nContinue? [y/N] #1 bc\n"
    );
}

#[test]
fn a_transient_line_stays_the_last_one() {
    let mut owner = owner();
    owner.transient("1 MiB".into());
    owner.transient("2 MiB".into());
    owner.lines(Stream::Error, "INFO: x\n").expect("written");
    owner.end_transient();
    owner.lines(Stream::Error, "done\n").expect("written");
    assert_eq!(
        error(&owner),
        "1 MiB\r\x1b[K2 MiB\r\x1b[KINFO: x\n2 MiB\r\x1b[Kdone\n"
    );
}

#[test]
fn a_result_elsewhere_leaves_the_foot_alone() {
    let mut owner = Owner::new(Vec::new(), Vec::new(), false);
    owner.progress("#1 half").expect("written");
    owner.lines(Stream::Output, "result").expect("written");
    owner.progress(" and half\n").expect("written");
    assert_eq!(owner.output, b"result\n");
    assert_eq!(error(&owner), "#1 half and half\n");
}

#[test]
fn an_endless_line_behind_a_question_is_bounded() {
    let mut owner = owner();
    owner.ask("? ".into());
    for _ in 0..5 {
        owner.progress(&"x".repeat(30 << 10)).expect("written");
        assert!(owner.held.len() <= MOST_HELD);
    }
    assert!(error(&owner).len() > MOST_HELD);
}
