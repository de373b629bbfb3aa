use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::*;

fn render(template: &str, data: &Value) -> anyhow::Result<String> {
    let text = Format::parse(template)?.object(data)?;
    Ok(text.as_str().to_owned())
}

fn data() -> Value {
    json!({
        "Name": "/x",
        "Net": {"foonet": {"Aliases": null, "IP": "10.0.0.2"}},
        "List": [1, true, "a"],
        "Names": ["b", "c"],
        "Labels": {"a.b": "c"},
        "Size": 1_073_741_824_u64,
        "Big": u64::MAX,
        "Nothing": null,
    })
}

#[track_caller]
fn check(cases: &[(&str, &str)], data: &Value) {
    for (template, expected) in cases {
        let rendered = render(template, data).expect(template);
        assert_eq!(rendered, format!("{expected}\n"), "{template}");
    }
}

#[test]
fn the_fields_that_a_template_may_use() {
    for (template, expected) in [
        ("{{.Name}}", false),
        ("{{.Name}}: {{if .Err}}broken{{end}}", false),
        (r#"table {{.Name}}\t{{upper .Driver}}"#, false),
        ("{{.Name}} {{len .Nodes}}", true),
        ("{{json .}}", true),
        ("{{.}}", true),
        ("{{with .}}{{end}}", true),
        ("{{$}}", true),
    ] {
        let format = Format::parse(template).expect(template);
        assert_eq!(format.may_use("Nodes"), expected, "{template}");
    }
}

#[test]
fn values_as_go_writes_them() {
    check(
        &[
            ("{{.Name}}", "/x"),
            ("{{ .Net }}", "map[foonet:map[Aliases:<nil> IP:10.0.0.2]]"),
            ("a {{.Net.foonet.IP}} b{{.List}}", "a 10.0.0.2 b[1 true a]"),
            (
                "{{json .Net.foonet}}",
                r#"{"Aliases":null,"IP":"10.0.0.2"}"#,
            ),
            ("{{index .Labels \"a.b\"}}{{index .List 2}}", "ca"),
            ("{{index .Labels \"none\"}}", ""),
            ("{{.Size}} {{.Big}}", "1073741824 18446744073709551615"),
            ("{{.Nothing}}", "<no value>"),
            ("none", "none"),
        ],
        &data(),
    );
}

#[test]
fn the_whole_language() {
    check(
        &[
            ("{{range .Names}}{{.}},{{end}}", "b,c,"),
            (
                "{{range $i, $n := .Names}}{{$i}}={{$n}} {{end}}",
                "0=b 1=c ",
            ),
            (
                "{{range $k, $v := .Net}}{{$k}} {{$v.IP}}{{end}}",
                "foonet 10.0.0.2",
            ),
            ("{{if .Nothing}}a{{else if .Name}}b{{else}}c{{end}}", "b"),
            ("{{with .Net.foonet}}{{.IP}}{{$.Name}}{{end}}", "10.0.0.2/x"),
            (
                "{{$x := .Name}}{{$x}}{{printf \"%5.1f|%q\" 1.25 $x}}",
                "/x  1.2|\"/x\"",
            ),
            ("{{.Name | printf \"%s-%s\" \"a\"}}", "a-/x"),
            ("{{(index .Names 0) | len}}", "1"),
            (
                "{{if and (eq .Name \"/x\") (not .Nothing) (gt .Size 5)}}y{{end}}",
                "y",
            ),
            (
                "{{define \"t\"}}<{{.}}>{{end}}{{template \"t\" .Name}}",
                "</x>",
            ),
            ("{{- /* a comment */ -}} {{.Name -}} \n", "/x"),
            ("{{println .Name}}{{print 1 2}}", "/x\n1 2"),
            ("{{\"a\\tb\"}}", "a\tb"),
            (
                "{{range .Names}}{{if eq . \"c\"}}{{break}}{{end}}{{.}}{{end}}",
                "b",
            ),
            (
                "{{slice .Name 1}}{{html \"<\"}}{{urlquery \"a b\"}}",
                "x&lt;a+b",
            ),
            ("{{(index .Net \"foonet\").IP}}", "10.0.0.2"),
        ],
        &data(),
    );
}

#[test]
fn functions_of_the_docker_cli() {
    check(
        &[
            ("{{json .}}", &data().to_string()),
            ("{{json .Names}}", r#"["b","c"]"#),
            ("{{join .Names \"+\"}}", "b+c"),
            ("{{join (split \"a:b\" \":\") \"-\"}}", "a-b"),
            (
                "{{upper .Name}}{{lower \"ABC\"}}{{title \"ab cd\"}}",
                "/XabcAb Cd",
            ),
            (
                "{{truncate .Net.foonet.IP 4}}|{{truncate .Name 99}}",
                "10.0|/x",
            ),
            ("[{{pad .Name 1 2}}][{{pad \"\" 1 2}}]", "[ /x  ][]"),
        ],
        &data(),
    );
}

#[test]
fn tables_have_headers() {
    let rows = [
        json!({"Name": "a", "CreatedAt": "now", "Nodes": [{"Name": "n"}], "ID": 1}),
        json!({"Name": "a-long\tname", "CreatedAt": "x", "Nodes": [], "ID": 2}),
    ];
    let table = |text: &str| {
        let format = Format::parse(text).expect("a template");
        format.rows(&rows).expect("rows").as_str().to_owned()
    };
    assert_eq!(
        table(r"table {{.Name}}\t{{.CreatedAt}}\t{{json .ID}}"),
        "NAME          CREATED AT   ID\na             now          1\na-long name   x            2\n"
    );
    assert_eq!(
        table("table {{.Name}}\t{{len .Nodes}}"),
        "NAME          5\na             1\na-long name   0\n"
    );
    assert_eq!(table(r"{{.Name}}\t{{.ID}}"), "a\t1\na-long name\t2\n");
}

#[test]
fn values_stay_on_their_line() {
    let value = json!({
        "A": "1\nERROR: x\x1b[2J\u{202e}",
        "Err": "ERR",
        "Rest": "OR: y",
        "L": {"hint: k\n": ["a\nb"]},
    });
    check(
        &[
            ("{{.A}}", "1 ERROR: x"),
            ("{{.Err}}{{.Rest}}", " ERROR: y"),
            ("ERROR: mine\n{{.Err}}\ta\n\n", "ERROR: mine\nERR\ta\n\n"),
            ("{{.L}}", "map[hint: k :[a b]]"),
            ("{{json .A}}", r#""1\nERROR: x\u001b[2J\u202e""#),
            ("{{printf \"%s\" .A}}{{print .A}}", "1 ERROR: x1 ERROR: x"),
            (
                "{{upper .A}}|{{truncate .A 3}}|{{slice .A 0 6}}",
                "1 ERROR: X|1 E|1a",
            ),
            (
                "{{range split .A \"R\"}}{{println .}}{{end}}",
                "1 E\n\nO\n: x\n",
            ),
            (
                "a\n{{println .Err}}{{println \"hint: z\"}}",
                "a\nERR\n hint: z\n",
            ),
            ("{{\"\"}}ERROR: z", " ERROR: z"),
            ("{{\"\\x00ERROR: z\"}}", " ERROR: z"),
        ],
        &value,
    );
}

#[test]
fn mistakes_say_what_there_is() {
    let value = json!({"Name": "x", "Sub": {"A": 1}, "Nothing": null});
    for (template, words) in [
        (
            "{{.Nam}}",
            ". has no field \"Nam\"; its fields are: Name, Nothing, Sub",
        ),
        ("{{.Sub.B}}", ".Sub has no field \"B\"; its fields are: A"),
        ("{{range .Sub}}{{$.Nam}}{{end}}", "its fields are: Name"),
        ("{{with .Sub}}{{.C}}{{end}}", "its fields are: A"),
        ("{{(index . \"Sub\").D}}", "its fields are: A"),
        ("{{.Nothing.X}}", ".Nothing is null and has no field \"X\""),
        ("{{.Name.X}}", ".Name is a string and has no field \"X\""),
        ("{{.Name", "unclosed action"),
        ("{{range .Name}}{{end}}", "cannot range over string"),
        ("{{unknown .Name}}", "unknown function \"unknown\""),
        ("{{template \"x\"}}", "undefined template: x"),
        ("{{join .Name \"\"}}", "join expects a list, not a string"),
        ("{{split .Name}}", "split expects 2, got 1"),
        ("{{$x}}", "x"),
    ] {
        let error = format!("{:#}", render(template, &value).expect_err(template));
        assert!(error.contains(words), "{error}");
    }
}

/// Templates that would take the memory or the time of the machine.
#[test]
fn a_template_is_bounded() {
    let doubling = "{{$x := \"aaaaaaaaaaaaaaaa\"}}{{range 100}}{{$x = print $x $x}}{{end}}";
    let formats = "{{$f := \"%65000d\"}}{{range 20}}{{$f = print $f $f}}{{end}}{{printf $f 1}}";
    let mut calls = String::from("{{define \"t0\"}}{{end}}");
    for number in 1..40 {
        let call = format!("{{{{template \"t{}\"}}}}", number - 1);
        calls += &format!("{{{{define \"t{number}\"}}}}{call}{call}{{{{end}}}}");
    }
    calls += "{{template \"t39\"}}";
    let templates = [
        "{{range 10000000000}}{{end}}".to_owned(),
        "{{range 100000}}{{range 100000}}{{range 100000}}a{{end}}{{end}}{{end}}".to_owned(),
        format!("{{{{range 900000}}}}{}{{{{end}}}}", "a".repeat(1000)),
        doubling.to_owned(),
        doubling.replace("print $x $x", "printf \"%s%s\" $x $x"),
        doubling.replace("print $x $x", "html (print $x $x)"),
        doubling.replace("{{$x = print $x $x}}", "{{$x = join (split $x \"\") $x}}"),
        formats.to_owned(),
        formats.replace("printf $f 1", "$f | printf"),
        "{{range 10000}}{{$x := printf \"%*d\" 65000 1}}{{$x}}{{end}}".to_owned(),
        "{{range 100000}}{{$x := pad \"a\" 60000 60000}}{{end}}".to_owned(),
        "{{pad \"a\" 1000000000000 1}}".to_owned(),
        "{{range 1000000}}{{$x := eq $.Long $.Long}}{{end}}".to_owned(),
        "{{range 1000000}}{{$x := json $.Long}}{{end}}".to_owned(),
        "{{define \"a\"}}{{template \"a\" .}}{{end}}{{template \"a\" .}}".to_owned(),
        "{{define \"a\"}}{{template \"b\"}}{{end}}{{define \"b\"}}{{template \"a\"}}{{end}}"
            .to_owned(),
        calls,
        format!("{{{{{}1{}}}}}", "(".repeat(8000), ")".repeat(8000)),
        format!("{{{{1{}}}}}", " | print".repeat(1800)) + &"{{range 100000}}{{end}}".repeat(10),
        "{{if 1}}".repeat(1000) + &"{{end}}".repeat(1000),
        "a".repeat(LONGEST + 1),
    ];
    let data = json!({ "Long": "x".repeat(1 << 20) });
    for template in templates {
        let start = Instant::now();
        let error = render(&template, &data).expect_err(&template);
        let head: String = template.chars().take(80).collect();
        let took = start.elapsed();
        // A template without bounds would run for hours.
        assert!(took < Duration::from_secs(300), "{head}: {error}");
        assert!(peak_memory() < 512, "{head}: {error}");
    }
}

/// Returns the most memory that this process has had, in MiB.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("readable");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.and_then(|peak| peak.trim().strip_suffix("kB"));
    peak.and_then(|peak| peak.trim().parse::<u64>().ok())
        .expect("a size")
        >> 10
}
