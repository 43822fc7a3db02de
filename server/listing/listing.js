
(() => {
  'use strict';
  const search = document.getElementById('search');
  const found = document.getElementById('found');
  const parts = document.querySelectorAll('.long tbody');
  const all = [...document.querySelectorAll('tbody tr')];
  const rows = all.filter(row => row.className !== 'up');
  const fold = text => text.trim().normalize().toLowerCase();
  const base = fold(search.defaultValue); // the rows are those that the server found with this
  const said = found.textContent;
  let names; // of the rows, made when they are needed
  let frame;

  // What is in the page is all there is, unless somebody searches for something else than the server was asked for.
  const knows = () => fold(search.value).includes(base);

  function filter() {
    const wanted = knows() ? fold(search.value) : base;
    names ??= rows.map(row => fold(row.cells[0].textContent));
    let matches = 0;
    rows.forEach((row, i) => {
      const match = names[i].includes(wanted);
      if (row.hidden === match) row.hidden = !match;
      matches += match;
    });
    for (const part of parts) shrink(part, matches < rows.length);
    found.textContent = !knows() ? 'Press Enter to search the whole folder.' : wanted === base ? said : `${matches} of ${rows.length} match`;
    for (const link of document.querySelectorAll('thead a')) {
      const query = new URLSearchParams(link.search);
      if (search.value.trim()) query.set('search', search.value.trim());
      else query.delete('search');
      link.search = query;
    }
  }

  // shrink gives a part of a long table the height that the rows have which are left of it: it may be none on the screen,
  // whose height the browser has to guess.
  function shrink(part, filtered) {
    const left = filtered ? [...part.rows].filter(row => !row.hidden).length : part.rows.length;
    part.hidden = left === 0;
    part.style.containIntrinsicHeight = filtered ? `${39 * left}px` : '';
  }

  function clear() {
    if (!search.value && !base) return false;
    search.value = '';
    if (base) search.form.requestSubmit(); // all of the folder has to come from the server
    else filter();
    document.activeElement.closest('tbody a')?.scrollIntoView({block: 'nearest'}); // it has moved
    return true;
  }

  // move goes to the next row that is shown, downwards (1) or upwards (-1); from the first one it goes up to the search.
  function move(direction) {
    const here = all.indexOf(document.activeElement.closest('tbody tr'));
    if (here < 0 && direction < 0) return false;
    let to = here + direction;
    while (all[to]?.hidden) to += direction;
    if (to >= 0) all[to]?.querySelector('a').focus();
    else search.focus();
    return true;
  }

  // enter opens what was searched for when there is one such thing, else it goes to the first.
  function enter() {
    if (!knows() || !search.value.trim()) return false; // the form does it
    cancelAnimationFrame(frame);
    filter();
    const matches = rows.filter(row => !row.hidden);
    const link = matches[0]?.querySelector('a');
    if (matches.length === 1) link.click();
    else link?.focus();
    return true;
  }

  function press(event, typing) {
    switch (event.key) {
      case 'ArrowDown': return move(1);
      case 'ArrowUp': return move(-1);
      case 'Escape': return clear() || typing && (search.blur(), true);
      case 'Enter': return typing && enter();
    }
    if (typing) return false;
    switch (event.key) {
      case 'j': return move(1);
      case 'k': return move(-1);
      case '/': search.focus(); search.select(); return true;
    }
    return false;
  }

  document.addEventListener('keydown', event => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (press(event, event.target === search)) event.preventDefault();
  });
  search.addEventListener('input', () => {
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(filter);
  });
  addEventListener('pageshow', () => { if (search.value !== search.defaultValue) filter(); }); // as browsers restore it
})();
