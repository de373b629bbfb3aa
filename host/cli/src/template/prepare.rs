//! Prepares a parsed template: fields, arguments and values pass functions of this module's parent,
//! and the number of steps is bounded.

use std::collections::BTreeMap;

use gotmpl::parse::{CommandNode, Expr, ListNode, Node, PipeNode, Pos, SmolStr};

use super::functions::{CHARGE, CHARGE_FORMAT, FIELD, SHOW};
use super::lines::MARK;

/// Maximum number of nodes that a rendering executes.
const MOST_STEPS: u64 = 400_000;

/// Maximum depth of templates that call templates.
const DEEPEST: usize = 50;

/// Rewrites a tree in place. With `escapes`, `\t` and `\n` in its text mean a tab and a line feed.
pub fn rewrite(list: &mut ListNode, escapes: bool) {
    for node in &mut list.nodes {
        match node {
            Node::List(list) => rewrite(list, escapes),
            Node::Text(text) => {
                let mut meant = text.text.replace(MARK, "");
                if escapes {
                    meant = meant.replace("\\t", "\t").replace("\\n", "\n");
                }
                text.text = meant.into();
            }
            Node::Action(action) => {
                pipe(&mut action.pipe);
                if action.pipe.decl.is_empty() {
                    action.pipe.commands.push(call(action.pos, SHOW, []));
                }
            }
            Node::If(branch) | Node::Range(branch) | Node::With(branch) => {
                pipe(&mut branch.pipe);
                rewrite(&mut branch.body, escapes);
                if let Some(body) = &mut branch.else_body {
                    rewrite(body, escapes);
                }
            }
            Node::Template(template) => {
                if let Some(of) = &mut template.pipe {
                    pipe(of);
                }
            }
            Node::Define(define) => rewrite(&mut define.body, escapes),
            Node::Break(_) | Node::Continue(_) => {}
        }
    }
}

fn pipe(of: &mut PipeNode) {
    let commands = std::mem::take(&mut of.commands);
    for (number, mut command) in commands.into_iter().enumerate() {
        let name = match command.args.first() {
            Some(Expr::Identifier(_, name)) => Some(name.clone()),
            _ => None,
        };
        let is_printf = name.is_some_and(|name| name == "printf");
        if number > 0 {
            // What comes out of the pipe is the last argument, so the format if there is no other.
            let is_format = is_printf && command.args.len() == 1;
            let charge = if is_format { CHARGE_FORMAT } else { CHARGE };
            of.commands.push(call(command.pos, charge, []));
        }
        for (number, argument) in command.args.iter_mut().enumerate() {
            expression(argument);
            let is_passed = !matches!(argument, Expr::Number(..) | Expr::Bool(..) | Expr::Nil(_));
            if number > 0 && is_passed {
                let is_format = is_printf && number == 1;
                let charge = if is_format { CHARGE_FORMAT } else { CHARGE };
                wrap(argument, charge, []);
            }
        }
        of.commands.push(command);
    }
}

/// Rewrites an expression: fields are looked up by [`FIELD`].
fn expression(of: &mut Expr) {
    match of {
        Expr::Field(pos, names) => {
            let names = std::mem::take(names);
            *of = Expr::Dot(*pos);
            wrap(of, FIELD, names);
        }
        Expr::Variable(_, _, names) if !names.is_empty() => {
            let names = std::mem::take(names);
            wrap(of, FIELD, names);
        }
        Expr::Chain(_, inner, names) => {
            // That is a call with arguments.
            if matches!(**inner, Expr::Identifier(..)) {
                return;
            }
            let names = std::mem::take(names);
            let mut inner = std::mem::replace(&mut **inner, Expr::Nil(Pos::new(0, 1)));
            expression(&mut inner);
            *of = inner;
            wrap(of, FIELD, names);
        }
        Expr::Pipe(_, inner) => pipe(inner),
        _ => {}
    }
}

/// Replaces an expression by the call of a function with it and further texts.
fn wrap(of: &mut Expr, function: &str, names: impl IntoIterator<Item = SmolStr>) {
    let pos = of.pos();
    let inner = std::mem::replace(of, Expr::Nil(pos));
    let names = names
        .into_iter()
        .map(|name| Expr::String(pos, name.as_str().into()));
    let command = call(pos, function, std::iter::once(inner).chain(names));
    let inner = PipeNode {
        pos,
        decl: Vec::new(),
        commands: vec![command],
        is_assign: false,
    };
    *of = Expr::Pipe(pos, inner);
}

fn call(pos: Pos, function: &str, arguments: impl IntoIterator<Item = Expr>) -> CommandNode {
    let mut args = vec![Expr::Identifier(pos, SmolStr::new(function))];
    args.extend(arguments);
    CommandNode { pos, args }
}

/// Returns how many iterations all loops of these templates may make together.
///
/// Outside of loops, a template executes at most all its nodes and those of the templates that it
/// calls; so does each iteration of a loop.
///
/// # Errors
///
/// If templates call each other in a circle, too deeply, or too often.
pub fn most_iterations(trees: &[(String, ListNode)]) -> Result<u64, String> {
    let mut known = BTreeMap::new();
    let mut most: u64 = 1;
    for (name, _) in trees {
        most = most.max(steps(name, trees, &mut known, 0)?);
    }
    match MOST_STEPS / most {
        0 => Err("it has too many steps".into()),
        iterations => Ok(iterations),
    }
}

/// Counts the nodes that a template executes, those of the templates that it calls included.
fn steps<'a>(
    name: &'a str,
    trees: &'a [(String, ListNode)],
    known: &mut BTreeMap<&'a str, u64>,
    depth: usize,
) -> Result<u64, String> {
    if let Some(steps) = known.get(name) {
        return Ok(*steps);
    }
    if depth > DEEPEST {
        return Err(format!(
            "template {name:?} calls itself, or templates nest too deeply"
        ));
    }
    // The last one of several counts, as when it is executed; one that is missing fails then.
    let Some((name, tree)) = trees.iter().rev().find(|(known, _)| known == name) else {
        return Ok(1);
    };
    let mut called = Vec::new();
    let mut count = nodes(tree, &mut called);
    for other in called {
        count = count.saturating_add(steps(other, trees, known, depth + 1)?);
    }
    known.insert(name, count);
    Ok(count)
}

/// Counts the nodes of a tree, and collects the names of the templates that it calls.
fn nodes<'a>(list: &'a ListNode, called: &mut Vec<&'a str>) -> u64 {
    let mut count: u64 = 1;
    for node in &list.nodes {
        count += match node {
            Node::List(list) => nodes(list, called),
            Node::Action(action) => expressions(&action.pipe),
            Node::If(branch) | Node::Range(branch) | Node::With(branch) => {
                let other = branch.else_body.as_ref();
                expressions(&branch.pipe)
                    + nodes(&branch.body, called)
                    + other.map_or(0, |body| nodes(body, called))
            }
            Node::Template(template) => {
                called.push(&template.name);
                1 + template.pipe.as_ref().map_or(0, expressions)
            }
            Node::Text(_) | Node::Define(_) | Node::Break(_) | Node::Continue(_) => 1,
        };
    }
    count
}

fn expressions(pipe: &PipeNode) -> u64 {
    let arguments = pipe.commands.iter().flat_map(|command| &command.args);
    1 + arguments
        .map(|argument| match argument {
            Expr::Pipe(_, inner) => expressions(inner),
            _ => 1,
        })
        .sum::<u64>()
}
