/** Types of the plugin; see toastify.js. */

export interface ToastOptions {
  /** Milliseconds that a toast stays; 0 for as long as nobody closes it. */
  duration?: number;
  gravity?: "top" | "bottom";
  position?: "right" | "center" | "left";
  /** CSS backgrounds by level. */
  classMap?: Readonly<Record<string, string>>;
}

/** Shows messages as toasts of Toastify, which the page brings itself. */
export function useToastify(options?: ToastOptions): void;
