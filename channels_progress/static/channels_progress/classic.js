/**
 * `window.channelsBroadcast` as django-channels-broadcast has it, by our client: a classic script for pages that move here.
 *
 *     <script src="{% static 'channels_progress/classic.js' %}" data-auto></script>
 *
 * Its functions may be called at once; what they do waits for the module, which this script brings where nothing else on
 * the page does. Attributes of the tag: `data-auto` (calls `init` by itself), `data-extra-channels` (JSON),
 * `data-subscription-token`, `data-token-url`, `data-socket-url`, `data-anonymous`, `data-redirect-hosts`; `data-toastify`
 * (its options as JSON, or nothing) and `data-chime`; `data-module-url`, `data-toastify-url` and `data-chime-url` where
 * those files are not beside this one.
 */
(() => {
  "use strict";

  const { dataset, src } = document.currentScript;
  const api = (window.channelsBroadcast ??= {});
  const waiting = [];
  let page = null;
  let handle = null;
  let isOwnCall = false;
  let isSilent = false;

  /** Calls `use(channelsProgress)`: now, or once it is there. */
  function later(use) {
    if (page) use(page);
    else waiting.push(use);
  }

  function begin() {
    page = window.channelsProgress;
    for (const use of waiting.splice(0)) use(page);
  }

  const warn = (text, ...values) => console.warn(`channels_progress: ${text}`, ...values);

  /** A file of the package: the one named by an attribute of the tag, else one beside this script. */
  function findUrl(name, attribute) {
    return new URL(dataset[attribute] ?? `${name}.js`, dataset[attribute] ? location.href : src).href;
  }

  /** The URL of the module where a tag of the page has it: it may have a hash in its name. */
  function findModuleUrl() {
    const isModule = ({ src }) => /\/channels_progress(\.[\w-]+)?\.js($|\?)/.test(src);
    const tag = [...document.querySelectorAll('script[type="module"][src]')].find(isModule);
    return tag?.src ?? findUrl("channels_progress", "moduleUrl");
  }

  function bring() {
    if (window.channelsProgress?.init) return begin();
    addEventListener("channels-progress:ready", begin, { once: true });
    return import(findModuleUrl()).catch((error) => warn("the client could not be loaded:", error));
  }

  function parseJson(text) {
    try {
      return JSON.parse(text || "{}");
    } catch {
      warn("this is no JSON:", text);
      return {};
    }
  }

  function findCsrfToken() {
    const field = document.querySelector('input[name="csrfmiddlewaretoken"]');
    return field?.value ?? document.cookie.match(/(?:^|;\s*)csrftoken=([^;]*)/)?.[1] ?? "";
  }

  /** As the reference has it; what the tag's attributes say is where a call does not. */
  function init(extraChannels, { path, subscriptionToken, onConnectionChange, ...options } = {}) {
    later(({ init: start }) => {
      handle = start({
        url: path ?? dataset.socketUrl,
        extraChannels: extraChannels ?? dataset.extraChannels,
        subscriptionToken: subscriptionToken ?? dataset.subscriptionToken,
        tokenUrl: dataset.tokenUrl,
        csrfToken: findCsrfToken,
        anonymous: "anonymous" in dataset,
        redirectHosts: dataset.redirectHosts?.split(/\s+/),
        onConnectionChange: onConnectionChange && ((...told) => isSilent || onConnectionChange(...told)),
        ...options,
      });
    });
  }

  /** Shows this as the page is used to, whatever has been put in the place of this function. */
  function addMessage(message) {
    later(({ init: start }) => {
      isOwnCall = true;
      try {
        (handle ??= start({ audiences: false })).addMessage(message);
      } finally {
        isOwnCall = false;
      }
    });
  }

  function onmessage({ data }) {
    try {
      if (typeof data === "string") api.addMessage(JSON.parse(data));
    } catch (error) {
      warn("this frame is not understood:", error);
    }
  }

  function close({ silent = false } = {}) {
    later(() => {
      isSilent = silent;
      handle?.close();
      isSilent = false;
    });
  }

  const goTo = (url) => addMessage({ url });

  /** What a site has put in the place of our functions is called instead of what we would do. */
  function hand(event) {
    if (event.defaultPrevented || isOwnCall) return;
    const [isReplaced, call] = api.addMessage !== addMessage
      ? [true, () => api.addMessage(event.detail)]
      : [event.type.endsWith("redirect") && api.goTo !== goTo, () => api.goTo(event.detail.url)];
    if (!isReplaced) return;
    event.preventDefault();
    call();
  }

  function chime({ defaultPrevented, detail }) {
    if (!defaultPrevented && detail.sound !== false && typeof api.onChime === "function") api.onChime(detail);
  }

  /** A function of a plugin: the page's own copy of it, or the one beside this script. */
  function callPlugin(name, file, options) {
    later(async () => {
      try {
        if (!page[name]) await import(findUrl(file, `${file}Url`));
        page[name](options);
      } catch (error) {
        warn(`${file}.js could not be loaded:`, error);
      }
    });
  }

  Object.assign(api, {
    init,
    addMessage,
    onmessage,
    goTo,
    close,
    subscribe: (token, options) => later(() => handle?.subscribe(token, options)),
    unsubscribe: (channel) => later(() => handle?.unsubscribe(channel)),
    setRenderer: (render) => later(({ setRenderer }) => setRenderer(render)),
    useToastify: (options) => callPlugin("useToastify", "toastify", options),
    enableChime: () => callPlugin("enableChime", "chime"),
  });
  for (const type of ["message", "redirect", "progress"]) document.addEventListener(`page-messages:${type}`, hand);
  addEventListener("page-messages:message", chime);

  if ("toastify" in dataset) api.useToastify(parseJson(dataset.toastify));
  if ("chime" in dataset) api.enableChime();
  if ("auto" in dataset) init();
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", bring, { once: true });
  else bring();
})();
