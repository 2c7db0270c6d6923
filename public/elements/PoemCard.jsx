// A poem with its tones: drawn from `props` (see backend/ui/poem_card.py), all of it as text nodes.
// Chainlit compiles this file anew whenever the page's state changes. The component is kept on the window, so that a
// card keeps its state and the reader's focus.

import { Fragment, useEffect, useRef, useState } from 'react';

const STORE = 'moyun-card';

function remembered() {
  try {
    return JSON.parse(localStorage.getItem(STORE)) || {};
  } catch {
    return {};
  }
}

function remember(choice) {
  try {
    localStorage.setItem(STORE, JSON.stringify({ ...remembered(), ...choice }));
  } catch {} // a browser that stores nothing forgets the choice with the page
}

async function copy(text) {
  if (navigator.clipboard && window.isSecureContext) return navigator.clipboard.writeText(text);
  const area = document.createElement('textarea'); // an address without https has no clipboard
  area.value = text;
  area.style.position = 'fixed';
  area.style.opacity = '0';
  document.body.append(area);
  area.select();
  const done = document.execCommand('copy');
  area.remove();
  if (!done) throw new Error('refused');
}

function ToneMark({ tone, state }) {
  return (
    <svg className="pc-tone" data-tone={tone} viewBox="0 0 12 12" aria-hidden="true">
      {tone === '?' ? (
        <text x="6" y="10" textAnchor="middle" fontSize="11">?</text>
      ) : (
        <Fragment>
          <circle cx="6" cy="6" r="4.2" className={tone === 'Z' ? 'pc-full' : 'pc-hollow'} />
          {tone === 'B' ? <path d="M6 1.8a4.2 4.2 0 0 0 0 8.4z" className="pc-full" /> : null}
        </Fragment>
      )}
      {state === 'f' ? null : <path d="M1 11 11 1" className="pc-stroke" />}
    </svg>
  );
}

function Characters({ line, script }) {
  const rhymeAt = line.rhyme ? line.tones.length - 1 : -1;
  return (
    <span className="pc-characters" aria-hidden="true">
      {Array.from(line.text[script]).map((character, at) => (
        <Fragment key={at}>
          <span className="pc-zi" data-state={line.states[at]} data-rhyme={at === rhymeAt ? line.rhyme : undefined}>
            <span className="pc-c">{character}</span>
            <ToneMark tone={line.tones[at]} state={line.states[at]} />
          </span>
          {line.marks[at] ? <span className="pc-stop">{line.marks[at]}</span> : null}
        </Fragment>
      ))}
    </span>
  );
}

function written(line, script) {
  return Array.from(line.text[script]).map((character, at) => character + line.marks[at]).join('');
}

function said(line, script, words, marks) {
  const colon = words.colon;
  const parts = [`${line.label}${line.new ? ` (${words.new})` : ''}${colon}${written(line, script)}`];
  if (marks) parts.push(`${words.tones}${colon}${line.said}`);
  if (line.rhyme) parts.push(`${words.rhyme}${colon}${Array.from(line.text[script]).pop()}`);
  return [...parts, ...line.faults].join(words.semicolon);
}

function plain(props, script) {
  const heading = [props.title[script], props.byline[script]].filter(Boolean);
  const stanzas = props.stanzas.map((rows) =>
    rows.map((row) => row.map((n) => written(props.lines[n], script)).join('')).join('\n'),
  );
  return [heading.join('\n'), ...stanzas].filter(Boolean).join('\n\n');
}

function Line({ line, script, words, marks, pick, waiting }) {
  const characters = <Characters line={line} script={script} />;
  return (
    <p
      className="pc-line"
      data-new={line.new || undefined}
      data-odd={line.odd || undefined}
      data-waiting={waiting || undefined}
    >
      {pick ? (
        <button
          type="button"
          className="pc-pick"
          onClick={pick}
          aria-label={`${words.rewriting} ${line.label}${words.colon}${written(line, script)}`}
        >
          {characters}
        </button>
      ) : (
        <Fragment>
          <span className="sr-only">{said(line, script, words, marks)}</span>
          {characters}
        </Fragment>
      )}
    </p>
  );
}

function PoemCard({ card, act }) {
  const { words } = card;
  const [choices, setChoices] = useState(() => ({
    vertical: false,
    marks: true,
    traditional: card.traditional,
    ...remembered(),
  }));
  const [choosing, setChoosing] = useState(false);
  const [note, setNote] = useState('');
  const [waiting, setWaiting] = useState(null); // what was asked for: { line } or {}
  const leaf = useRef(null);
  const poem = useRef(null);
  const rewriteButton = useRef(null);
  const script = choices.traditional ? 't' : 's';

  useEffect(() => {
    const cards = document.querySelectorAll('.poem-card');
    if (leaf.current === cards[cards.length - 1]) leaf.current.scrollIntoView({ block: 'nearest' });
  }, []); // it is taller than the text whose place it takes

  useEffect(() => {
    if (choosing) poem.current?.querySelector('.pc-pick')?.focus();
  }, [choosing]);

  const toggle = (name) => () => {
    const choice = { [name]: !choices[name] };
    setChoices({ ...choices, ...choice });
    remember(choice);
  };
  const putAway = () => {
    setChoosing(false);
    rewriteButton.current?.focus();
  };
  const ask = async (name, more) => {
    if (waiting) return; // a second press while the first is on its way
    setWaiting(more);
    try {
      await act({ name, payload: { turn: card.turn, ...more } });
    } catch {
      setNote(''); // the page itself says that the connection is lost
    } finally {
      setWaiting(null);
    }
  };
  const pick = (line) => {
    putAway();
    ask('rewrite_line', { line });
  };
  const copyOut = () =>
    copy(plain(card, script)).then(() => setNote(words.copied), () => setNote(words.uncopied));
  useEffect(() => {
    if (!note) return undefined;
    const timer = setTimeout(() => setNote(''), 2400);
    return () => clearTimeout(timer);
  }, [note]);

  const tool = (name, on) => (
    <button type="button" data-tool={name} aria-pressed={on} onClick={toggle(name)}>
      {words[name === 'traditional' ? 'script' : name]}
    </button>
  );
  const faulty = card.lines.some((line) => /[wu]/.test(line.states));

  return (
    <section
      className="poem-card"
      ref={leaf}
      aria-label={[words.card, card.title[script], ...card.facts, card.seal.said].filter(Boolean).join(words.comma)}
      data-layout={choices.vertical ? 'vertical' : 'horizontal'}
      data-marks={choices.marks ? 'on' : 'off'}
      data-fits={card.fits}
      lang={choices.traditional ? 'zh-Hant' : 'zh-Hans'}
    >
      <div
        className="pc-page"
        ref={poem}
        role="group"
        aria-label={card.title[script] || words.card}
        tabIndex={choices.vertical ? 0 : undefined} // a long ci in columns is scrolled
      >
        {card.title[script] ? (
          <header className="pc-heading">
            <h3>{card.title[script]}</h3>
            {card.byline[script] ? <p>{card.byline[script]}</p> : null}
          </header>
        ) : null}
        <div className="pc-text" onKeyDown={(event) => choosing && event.key === 'Escape' && putAway()}>
          {card.stanzas.map((rows, at) => (
            <div className="pc-stanza" key={at}>
              {rows.map((row) => (
                <div className="pc-row" key={row[0]}>
                  {row.map((n) => (
                    <Line
                      key={n}
                      line={card.lines[n]}
                      script={script}
                      words={words}
                      marks={choices.marks}
                      waiting={waiting?.line === n + 1}
                      pick={choosing ? () => pick(n + 1) : null}
                    />
                  ))}
                </div>
              ))}
            </div>
          ))}
        </div>
      </div>

      <footer lang={card.language === 'zh' ? 'zh-Hans' : 'en'}>
        <div className="pc-facts">
          <p>
            {card.facts.map((fact) => (
              <span key={fact}>{fact}</span>
            ))}
          </p>
          <span className="pc-seal" role="img" aria-label={card.seal.said} title={card.seal.said} lang="zh-Hans">
            {card.seal.text}
          </span>
        </div>
        {card.findings.length ? (
          <ul className="pc-findings">
            {card.findings.map((finding, at) => (
              <li key={at} data-severity={finding.severity}>
                <b>{words[finding.severity]}</b>
                <span>{finding.text}</span>
              </li>
            ))}
          </ul>
        ) : null}
        {choices.marks ? (
          <p className="pc-legend" aria-hidden="true">
            {words.legend}
            {faulty ? `　${words.legend_wrong}` : ''}
          </p>
        ) : null}
        {choices.traditional && !card.traditional ? <p className="pc-legend">{words.converted}</p> : null}
        <div className="pc-tools" role="group" aria-label={words.tools}>
          {tool('vertical', choices.vertical)}
          {tool('traditional', choices.traditional)}
          {tool('marks', choices.marks)}
          <button type="button" data-tool="copy" onClick={copyOut}>
            {note || words.copy}
          </button>
          {card.turn ? (
            <Fragment>
              <i aria-hidden="true" />
              <button
                type="button"
                data-tool="rewrite"
                ref={rewriteButton}
                aria-pressed={choosing}
                aria-disabled={waiting !== null}
                onClick={() => waiting === null && setChoosing(!choosing)}
              >
                {words.rewrite}
              </button>
              <button
                type="button"
                data-tool="another"
                aria-disabled={waiting !== null}
                onClick={() => ask('another_poem', {})}
              >
                {words.another}
              </button>
            </Fragment>
          ) : null}
        </div>
        <p className="pc-hint" role="status">
          {choosing ? words.choose : ''}
          {waiting?.line ? words.waiting.replace('{line}', card.lines[waiting.line - 1].label) : ''}
          <span className="sr-only">{note}</span>
        </p>
      </footer>
    </section>
  );
}

const kept = Symbol.for('moyun.PoemCard');
const Kept = (window[kept] ??= PoemCard);

export default <Kept card={props} act={callAction} />;
