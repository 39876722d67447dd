/** Why the API did not take a form: beside the field that is to blame, or below the form. */

import { ApiFault } from "../api";
import { describeFault } from "../fault";

export interface Refused {
  /** Its name in the request; empty where no one field is to blame. */
  field: string;
  message: string;
}

export function refused(fault: unknown): Refused {
  if (fault instanceof ApiFault && fault.field) {
    return { field: fault.field.replace(/[.[].*$/, ""), message: fault.message };
  }
  const plain = fault instanceof ApiFault && fault.code === "conflict";
  return { field: "", message: plain ? fault.message : describeFault(fault) };
}
