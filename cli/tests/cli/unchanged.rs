//! Commands that change nothing say so.

use insta::assert_snapshot;

use crate::test_dir::everywhere;

#[test]
fn what_changes_nothing_says_so() {
    let printed = everywhere(|dir| {
        dir.filled().write("notes.txt", "dry");
        [
            "put notes notes.txt",
            "put notes notes.txt",
            "restore wine/price@1",
            "unlock wine/price@1",
            "lock wine/price@1",
            "lock wine/price@1",
            "unlock wine/price@1",
            "unlock label",
            "lock label",
            "lock label",
            "tag wine/price@1 prod",
            "tag wine/price@2 prod",
            "tag wine/price@2 prod --protect",
            "tag wine/price@2 prod --protect",
            "note notes --label team=wine",
            "note notes --label team=wine",
            "note notes --remove-label stage",
            "note notes --remove-metric accuracy --remove-label team",
        ]
        .map(|words| {
            let printed = dir.plain(&words.split(' ').collect::<Vec<_>>());
            let printed = printed.replace("exit 0\n", "").replace("--- stdout\n", "");
            format!("> {words}\n{printed}")
        })
        .concat()
    });
    assert_snapshot!(printed, @"
    > put notes notes.txt
    put notes@1 (b3:cdf3a9064623, 354 B)
    > put notes notes.txt
    unchanged: notes@1 (b3:cdf3a9064623, 354 B)
    > restore wine/price@1
    unchanged: not removed: wine/price@1 (b3:d9836dc820fe, 330 B)
    > unlock wine/price@1
    unchanged: not locked: wine/price@1
    > lock wine/price@1
    locked wine/price@1
    > lock wine/price@1
    unchanged: already locked: wine/price@1
    > unlock wine/price@1
    unlocked wine/price@1
    > unlock label
    unchanged: not locked: the name label
    > lock label
    locked the name label
    > lock label
    unchanged: already locked: the name label
    > tag wine/price@1 prod
    unchanged: wine/price:prod is wine/price@1 (b3:d9836dc820fe)
    > tag wine/price@2 prod
    wine/price:prod is wine/price@2 (b3:7e6cc7296b5e)
    > tag wine/price@2 prod --protect
    wine/price:prod is wine/price@2 (b3:7e6cc7296b5e)
    > tag wine/price@2 prod --protect
    unchanged: wine/price:prod is wine/price@2 (b3:7e6cc7296b5e)
    > note notes --label team=wine
    labels  team=wine
    > note notes --label team=wine
    labels  team=wine
    --- stderr
    unchanged: notes has these notes already
    > note notes --remove-label stage
    labels  team=wine
    --- stderr
    unchanged: notes has no label `stage`
    > note notes --remove-metric accuracy --remove-label team
    --- stderr
    unchanged: notes has no metric `accuracy`
    notes has no notes
    ");
}
